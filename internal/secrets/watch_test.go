package secrets

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// concerned waits for an event that concerns what is watched.
func concerned(t *testing.T, w *Watch) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case e := <-w.Events():
			if w.Concerns(e) {
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
	e := <-w.Events()
	for ; !w.Concerns(e); e = <-w.Events() {
	}
	if e.Name != later {
		t.Errorf("told of %s", e.Name)
	}
	must(t, w.Close())
}
