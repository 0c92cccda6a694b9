package launch

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// A lock file that its owner removes while another gatewayd has it open locks
// nobody out: the other one must not take it for the lock.
func TestLockThatIsReplaced(t *testing.T) {
	for name, replace := range map[string]func(d Dirs) error{
		"removed":               func(d Dirs) error { return os.Remove(d.Lock()) },
		"replaced":              func(d Dirs) error { return errors.Join(os.Remove(d.Lock()), os.WriteFile(d.Lock(), nil, 0o600)) },
		"gone with a directory": func(d Dirs) error { return os.RemoveAll(d.Runtime) },
	} {
		d := dirsIn(t.TempDir())
		must(t, os.MkdirAll(d.Runtime, 0o700))
		opened, err := os.OpenFile(d.Lock(), os.O_RDWR|os.O_CREATE, 0o600)
		must(t, err)
		must(t, replace(d))
		if err := d.lock(opened); !errors.Is(err, errReplaced) {
			t.Errorf("%s: lock of a file that is the lock no more = %v", name, err)
		}
		must(t, opened.Close())
		lock, err := d.Acquire()
		must(t, err)
		must(t, lock.Release())
	}
}

// Whoever has the lock has the directories, however many come and go.
func TestLockHasOneOwner(t *testing.T) {
	d := dirsIn(t.TempDir())
	owned := filepath.Join(t.TempDir(), "owned")
	var all sync.WaitGroup
	for i := range 8 {
		leave := d.Leave
		if i%2 == 0 {
			leave = func() error { return d.Remove(t.Context()) }
		}
		all.Go(func() {
			for range 100 {
				if err := ownOnce(d, owned, leave); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func ownOnce(d Dirs, owned string, leave func() error) error {
	lock, err := d.Acquire()
	if errors.As(err, new(*LockedError)) {
		return nil
	}
	if err != nil {
		return err
	}
	// The directory fails for a second owner.
	return errors.Join(os.Mkdir(owned, 0o700), d.Create(false), os.Remove(owned), leave(), lock.Release())
}

func TestLeave(t *testing.T) {
	for name, leave := range map[string]func(d Dirs) error{
		"nothing":          func(Dirs) error { return nil },
		"a stale socket":   func(d Dirs) error { return os.WriteFile(d.ControlSocket(), nil, 0o600) },
		"a launch":         func(d Dirs) error { return os.Mkdir(filepath.Join(d.Launches(), "web-1-aaaaaaaaaa"), 0o700) },
		"a secret":         func(d Dirs) error { return os.Mkdir(filepath.Join(d.Secrets(), "web-1-aaaaaaaaaa"), 0o700) },
		"a state":          func(d Dirs) error { return os.Mkdir(filepath.Join(d.RuntimeRoot(), "web-1-aaaaaaaaaa"), 0o700) },
		"a file of others": func(d Dirs) error { return os.WriteFile(filepath.Join(d.Runtime, "note"), nil, 0o600) },
	} {
		d := dirsIn(t.TempDir())
		lock, err := d.Acquire()
		must(t, err)
		must(t, d.Create(false))
		must(t, leave(d))
		must(t, d.Leave())
		must(t, d.Leave())
		must(t, lock.Release())
		_, err = os.Lstat(d.Runtime)
		if kept := name == "a launch" || name == "a secret" || name == "a state" || name == "a file of others"; kept != (err == nil) {
			t.Errorf("%s: the directory is left = %v", name, err == nil)
		}
		if _, err := os.Lstat(d.Rootfs()); err != nil {
			t.Errorf("%s: the state is gone", name)
		}
	}
}
