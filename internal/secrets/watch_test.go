package secrets

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
)

// concerned waits for an event that concerns what is watched.
func concerned(t *testing.T, w *Watch) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case e := <-w.Events():
			if len(w.Concerned(e)) > 0 {
				return
			}
		case err := <-w.Errors():
			t.Fatal(err)
		case <-late:
			t.Fatal("nobody tells")
		}
	}
}

// However a file is written anew, it is told; a file beside it is not. One in a
// directory that comes later is watched from the next Set on.
func TestWatch(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	path, later := filepath.Join(dir, "secret"), filepath.Join(dir, "later", "secret")
	w, err := OpenWatch()
	must(t, err)
	if err := w.Set([]string{path, later}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	must(t, os.WriteFile(path, []byte("made"), 0o600))
	concerned(t, w)
	must(t, os.WriteFile(path+".new", []byte("replaced"), 0o600), os.Rename(path+".new", path))
	concerned(t, w)
	must(t, os.Remove(path))
	concerned(t, w)
	must(t, os.Mkdir(filepath.Dir(later), 0o700), w.Set([]string{later}))
	must(t, os.WriteFile(path, []byte("not watched any more"), 0o600), os.WriteFile(later, []byte("made"), 0o600))
	for e := <-w.Events(); e.Name != later; e = <-w.Events() {
		if slices.Contains(w.Concerned(e), path) {
			t.Errorf("told of %s", path)
		}
	}
	must(t, w.Close())
}

// A file may be read again when its mode is mended, and is another one when its
// directory is, be that taken away and made again, put in the place of another, or
// led to by a link.
func TestWatchOfModesAndDirectories(t *testing.T) {
	defer goleak.VerifyNone(t)
	top := t.TempDir()
	dir, link := filepath.Join(top, "dir"), filepath.Join(top, "link")
	path, linked := filepath.Join(dir, "secret"), filepath.Join(link, "secret")
	w, err := OpenWatch()
	must(t, err)
	defer func() { must(t, w.Close()) }()
	settle := func() { // what is told after this is of later
		t.Helper()
		mark := filepath.Join(top, "mark")
		must(t, w.Set([]string{path, linked}), os.WriteFile(mark, nil, 0o600), os.Remove(mark))
		for e := <-w.Events(); e.Name != mark || !e.Has(fsnotify.Remove); e = <-w.Events() {
		}
	}
	must(t, os.Mkdir(dir, 0o700), os.WriteFile(path, []byte("value"), 0o644), os.Symlink(dir, link))
	settle()
	must(t, os.Chmod(path, 0o600))
	concerned(t, w)
	must(t, os.RemoveAll(dir), os.Mkdir(dir, 0o700))
	concerned(t, w)
	settle()
	must(t, os.WriteFile(path, []byte("made again"), 0o600))
	concerned(t, w)
	must(t, os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700))
	concerned(t, w)
	settle()
	must(t, os.Symlink(dir+".old", link+".new"), os.Rename(link+".new", link))
	concerned(t, w)
	settle()
	must(t, os.WriteFile(linked, []byte("elsewhere"), 0o600))
	concerned(t, w)
}
