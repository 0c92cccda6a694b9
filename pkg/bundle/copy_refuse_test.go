package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A disturber does something when its context is looked at for the nth time.
type disturber struct {
	*countdown
	do func()
	sync.Once
}

func (m *disturber) Err() error {
	if m.countdown.Err() != nil {
		m.Do(m.do)
	}
	return nil
}

// Somebody is at work in the source. Each look at the context is a moment at
// which it may happen; at one of them the copy must have begun on what changes.
func TestCopyOfWhatChangesIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		do   func(source string) error
	}{
		"file grows":         {"large", func(s string) error { return os.Truncate(s+"/large", 20<<20) }},
		"file shrinks":       {"large", func(s string) error { return os.Truncate(s+"/large", 1<<20) }},
		"file is written":    {"large", func(s string) error { return writeAgain(s + "/large") }},
		"file vanishes":      {"large", func(s string) error { return os.Remove(s + "/large") }},
		"becomes a FIFO":     {"large", func(s string) error { return errors.Join(os.Remove(s+"/large"), unix.Mkfifo(s+"/large", 0o600)) }},
		"becomes a link":     {"large", func(s string) error { return errors.Join(os.Remove(s+"/large"), os.Symlink("/etc/passwd", s+"/large")) }},
		"link becomes file":  {"link", func(s string) error { return errors.Join(os.Remove(s+"/link"), os.WriteFile(s+"/link", nil, 0o600)) }},
		"directory vanishes": {"d", func(s string) error { return errors.Join(os.Remove(s+"/d/f"), os.Remove(s+"/d")) }},
		"directory swapped":  {"d", func(s string) error { return errors.Join(os.Rename(s+"/d", s+"/../d"), os.Symlink("../d", s+"/d")) }},
	} {
		t.Run(name, func(t *testing.T) {
			refused := 0
			for looks := 1; looks < 12; looks++ {
				refused += refusesChange(t, c.path, looks, c.do)
			}
			if refused == 0 {
				t.Error("no moment was found at which it matters")
			}
		})
	}
}

func refusesChange(t *testing.T, path string, looks int, do func(string) error) int {
	t.Helper()
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755), os.WriteFile(filepath.Join(source, "d/f"), nil, 0o600),
		os.Symlink("x", filepath.Join(source, "link")), os.WriteFile(filepath.Join(source, "large"), make([]byte, 10<<20), 0o600))
	ctx := &disturber{countdown: countTo(looks), do: func() { must(t, do(source)) }}
	_, err := Copy(ctx, source, dest, CopyOptions{Workers: 1})
	if err == nil {
		return 0
	}
	named := strings.Contains(err.Error(), path+": ") || strings.Contains(err.Error(), "copy .: ")
	changed := errors.Is(err, ErrChanged) || errors.Is(err, ErrSpecialFile) // which may have been there before it was listed
	if !changed || !named {
		t.Errorf("at look %d: %v", looks, err)
	}
	if _, err := os.Lstat(dest); err == nil {
		t.Error("the copy is there")
	}
	staged, err := filepath.Glob(filepath.Join(dir, StagingPrefix+"*"))
	must(t, err)
	if len(staged) > 0 {
		t.Errorf("%q was left", staged)
	}
	return 1
}

// writeAgain leaves the size as it is.
func writeAgain(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte("x"), 9<<20)
	return errors.Join(err, file.Close())
}

// A name that comes or goes while a long directory is listed.
func TestCopyOfADirectoryThatChangesIsRefused(t *testing.T) {
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755))
	for i := range 3000 { // more than two listings hold
		must(t, os.WriteFile(filepath.Join(source, "d", fmt.Sprintf("%0100d", i)), nil, 0o600))
	}
	ctx := &disturber{countdown: countTo(200), do: func() { must(t, os.WriteFile(filepath.Join(source, "d/new"), nil, 0o600)) }}
	_, err := Copy(ctx, source, filepath.Join(dir, "dest"), CopyOptions{})
	if !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "copy d: ") {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, dir, "source")
}

func TestCopyOfTooMuchIsRefused(t *testing.T) {
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755), os.WriteFile(filepath.Join(source, "d/f"), make([]byte, 1000), 0o600),
		os.Link(filepath.Join(source, "d/f"), filepath.Join(source, "d/same")))
	for _, c := range []struct {
		o    CopyOptions
		want string
	}{
		{CopyOptions{MaxFiles: 3, MaxSize: 1000}, ""},
		{CopyOptions{MaxFiles: 2}, "larger than allowed: 3 entries up to here, and 2 may be"},
		{CopyOptions{MaxFiles: 1}, "larger than allowed: 2 entries up to here, and 1 may be"},
		{CopyOptions{MaxSize: 999}, "larger than allowed: 1000 bytes up to here, and 999 may be"},
	} {
		copied, err := Copy(context.Background(), source, filepath.Join(dir, "dest"), c.o)
		if c.want != "" {
			path := new(fs.PathError)
			if !errors.Is(err, ErrTooLarge) || !errors.As(err, &path) || !strings.HasPrefix(path.Path, "d") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
			}
			onlyHolds(t, dir, "source")
			continue
		}
		if err != nil || copied.Entries != 3 || copied.Bytes != 1000 {
			t.Errorf("copied %+v: %v", copied, err)
		}
		must(t, Remove(context.Background(), dir, "dest", RemoveOptions{}))
	}
}

func TestCopyTellsWhatItDropped(t *testing.T) {
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755), unix.Mkfifo(filepath.Join(source, "fifo"), 0o600))
	var names []string
	for i := range 20 {
		name := fmt.Sprintf("d/%02d", i)
		names = append(names, name)
		must(t, os.WriteFile(filepath.Join(source, name), []byte("x"), 0o600), unix.Chmod(filepath.Join(source, name), 0o6755))
	}
	copied, err := Copy(context.Background(), source, dest, CopyOptions{SkipSpecial: true})
	must(t, err)
	if copied.Setuid.Count != 20 || !slices.Equal(copied.Setuid.First, names[:8]) {
		t.Errorf("set-user-ID: %v", copied.Setuid)
	}
	if copied.Skipped.Count != 1 || !slices.Equal(copied.Skipped.First, []string{"fifo"}) {
		t.Errorf("skipped: %v", copied.Skipped)
	}
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(dest, "d/07"), &st))
	if st.Mode&0o7777 != 0o2755 {
		t.Errorf("mode %o", st.Mode)
	}
	if copied.Entries != 21 || copied.Bytes != 20 {
		t.Errorf("%d entries of %d bytes", copied.Entries, copied.Bytes)
	}
	onlyHolds(t, dest, "d")
}

// Cancellation inside a large file: at most one chunk comes after it.
func TestCopyLooksAtItsContextInALargeFile(t *testing.T) {
	for name, lacking := range map[string]bool{"copy_file_range": false, "read and write": true} {
		t.Run(name, func(t *testing.T) {
			dir := scratch(t)
			must(t, os.WriteFile(filepath.Join(dir, "from"), make([]byte, 20<<20), 0o600))
			from, err := os.Open(filepath.Join(dir, "from"))
			must(t, err)
			defer from.Close()
			to, err := os.Create(filepath.Join(dir, "to"))
			must(t, err)
			defer to.Close()
			tr := &tree{ctx: countTo(3)}
			tr.lacks.clone.Store(true)
			tr.lacks.copyRange.Store(lacking)
			var st unix.Stat_t
			must(t, unix.Fstat(int(from.Fd()), &st))
			if err := tr.copyData(&worker{}, int(to.Fd()), int(from.Fd()), &st); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			info, err := to.Stat()
			must(t, err)
			if info.Size() == 0 || info.Size() > 3*chunk {
				t.Errorf("%d bytes were copied at three looks", info.Size())
			}
		})
	}
}
