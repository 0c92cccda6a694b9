package launch

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

func dirsIn(dir string) Dirs {
	return Dirs{Runtime: filepath.Join(dir, "run"), State: filepath.Join(dir, "deep", "state")}
}

func TestDirectories(t *testing.T) {
	env := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	for _, c := range []struct {
		uid  int
		env  map[string]string
		want Dirs
	}{
		{0, nil, Dirs{"/run/gatewayd", "/var/lib/gatewayd"}},
		{0, map[string]string{"XDG_RUNTIME_DIR": "/run/user/0", "XDG_STATE_HOME": "/x"}, Dirs{"/run/gatewayd", "/var/lib/gatewayd"}},
		{7, map[string]string{"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/u"}, Dirs{"/run/user/7/gatewayd", "/home/u/.local/state/gatewayd"}},
		{7, map[string]string{"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/u", "XDG_STATE_HOME": "/state"}, Dirs{"/run/user/7/gatewayd", "/state/gatewayd"}},
		{7, map[string]string{"XDG_RUNTIME_DIR": "/run/user/7", "XDG_STATE_HOME": "relative", "HOME": "/home/u"}, Dirs{"/run/user/7/gatewayd", "/home/u/.local/state/gatewayd"}},
		{7, map[string]string{"HOME": "/home/u"}, Dirs{}},
		{7, map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}, Dirs{}},
	} {
		got, err := Directories("gatewayd", c.uid, env(c.env))
		if got != c.want || (err != nil) != (c.want == Dirs{}) {
			t.Errorf("uid %d, %v: %v, %v", c.uid, c.env, got, err)
		}
	}
}

func TestCreateModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	for root, want := range map[bool][2]os.FileMode{false: {0o700, 0o700}, true: {0o711, 0o710}} {
		if root && os.Geteuid() != 0 {
			continue // only root can give them away
		}
		d := dirsIn(t.TempDir())
		must(t, os.Mkdir(d.Runtime, 0o777)) // left open by mistake
		must(t, os.Chmod(d.Runtime, 0o777))
		must(t, d.Create(root))
		must(t, d.Create(root))
		for path, want := range map[string]os.FileMode{
			d.Runtime: want[0], d.State: want[0],
			d.Launches(): want[1], d.Secrets(): want[1], d.RuntimeRoot(): want[1], d.Rootfs(): want[1], filepath.Dir(d.Data("web")): want[1],
			d.Stopped(): 0o700, d.Revisions(): 0o700, filepath.Dir(d.State): 0o700,
		} {
			info, err := os.Lstat(path)
			must(t, err)
			if info.Mode() != want|os.ModeDir {
				t.Errorf("root %v: mode of %s = %v, want %v", root, path, info.Mode(), want)
			}
		}
	}
}

func TestCreateRefusesWhatIsNotOurs(t *testing.T) {
	for name, plant := range map[string]func(path string) error{
		"symlink":          func(path string) error { return os.Symlink(t.TempDir(), path) },
		"dangling symlink": func(path string) error { return os.Symlink("nowhere", path) },
		"file":             func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		for i := range 4 {
			d := dirsIn(t.TempDir())
			must(t, d.Create(false))
			path := []string{d.Runtime, d.Launches(), d.State, d.Rootfs()}[i]
			must(t, os.RemoveAll(path))
			must(t, plant(path))
			if err := d.Create(false); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("a %s as %s: %v", name, path, err)
			}
		}
	}
}

func TestCreateRefusesForeignOwner(t *testing.T) {
	testenv.NeedRoot(t)
	d := dirsIn(t.TempDir())
	must(t, d.Create(true))
	must(t, os.Chown(d.Launches(), 12345, 12345))
	if err := d.Create(true); err == nil || !strings.Contains(err.Error(), "12345") {
		t.Errorf("error = %v", err)
	}
}

func TestLock(t *testing.T) {
	d := dirsIn(t.TempDir())
	lock, err := d.Acquire()
	must(t, err)
	refused := new(LockedError)
	if _, err := d.Acquire(); !errors.As(err, &refused) || refused.Pid != strconv.Itoa(os.Getpid()) || !strings.Contains(err.Error(), refused.Pid) {
		t.Errorf("second lock: %v", err)
	}
	must(t, os.WriteFile(d.Lock(), []byte("not a pid at all"), 0o600))
	if _, err := d.Acquire(); !errors.As(err, &refused) || refused.Pid != "" {
		t.Errorf("a lock of nobody knows whom: %v", err)
	}
	must(t, lock.Release())
	lock, err = d.Acquire()
	must(t, err)
	must(t, lock.Release())
	must(t, os.Remove(d.Lock()))
	must(t, os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), d.Lock()))
	if _, err := d.Acquire(); err == nil {
		t.Error("a symbolic link is taken for the lock")
	}
}

// The kernel gives the lock up with the process, however that ends.
func TestLockOfAKilledDaemon(t *testing.T) {
	b := told(t, 0, "")
	b.killed(t, b.path, "locked", "", func() {
		refused := new(LockedError)
		if _, err := b.Dirs.Acquire(); !errors.As(err, &refused) {
			t.Fatalf("lock of a living daemon: %v", err)
		}
		if pid, _ := strconv.Atoi(refused.Pid); len(alive()) != 1 || alive()[0] != pid {
			t.Errorf("pid = %s, want that of %v", refused.Pid, alive())
		}
	})
	lock, err := b.Dirs.Acquire()
	must(t, err)
	must(t, lock.Release())
}

func TestRemoveDirectories(t *testing.T) {
	d := dirsIn(t.TempDir())
	must(t, d.Create(false))
	must(t, makeClosed(filepath.Join(d.Data("web"), "closed")))
	must(t, d.Remove(t.Context()))
	must(t, d.Remove(t.Context()))
	for _, path := range []string{d.Runtime, d.State} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left", path)
		}
	}
}
