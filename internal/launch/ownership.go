package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// Create makes the directories. The caller holds the lock. Modes are set also
// on directories that exist, so that neither a umask nor an earlier mistake
// leaves one open.
func (d Dirs) Create(root bool) error {
	for _, path := range []string{d.Runtime, d.Launches(), d.Secrets(), d.RuntimeRoot(), d.State, d.Rootfs(), filepath.Dir(d.Data("any")), d.Stopped(), d.Held(), d.Digests(), d.Revisions()} {
		if err := createDir(path); err != nil {
			return err
		}
		if err := d.setMode(path, root); err != nil {
			return fmt.Errorf("create directory: %w", err)
		}
		step.Done("directory-closed")
	}
	return nil
}

// setMode opens no directory of a user's. Root's lead to what containers reach:
// the upper ones for everybody, as the unit has them (to systemd, one that
// belonged to another group would be a tree to give back to root, at any
// reload); those beneath for container root alone.
func (d Dirs) setMode(path string, root bool) error {
	switch {
	case !root || path == d.Stopped() || path == d.Held() || path == d.Digests() || path == d.Revisions():
		return os.Chmod(path, 0o700)
	case path == d.Runtime || path == d.State:
		return errors.Join(os.Lchown(path, 0, 0), os.Chmod(path, 0o711))
	default:
		return letPass(path)
	}
}

// createDir takes a directory that is there, if it is ours.
func createDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	step.Done("directory-made")
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("create directory %s: a %s is in its place", path, info.Mode().Type())
	}
	if owner := ownerOf(info); owner != os.Geteuid() {
		return fmt.Errorf("use directory %s: it belongs to uid %d, not to uid %d that runs gatewayd", path, owner, os.Geteuid())
	}
	return nil
}

// letPass is for a directory of root's on the way to what a container reaches:
// container root, another user there, may search it by the group. Everybody
// else is kept out: a launch's id is no secret (it is in /proc/PID/cgroup), and
// what a container makes beneath has the modes that the container likes.
func letPass(path string) error {
	// The mode last: chown(2) may take bits away, and never gives any.
	return errors.Join(os.Lchown(path, 0, containerUser), os.Chmod(path, 0o710))
}

// Remove takes away both directories with all that is in them, persistent data
// too: for a gatewayd that was temporary. The caller still holds the lock; the
// file goes last, so that nobody else owns what is being removed.
func (d Dirs) Remove(ctx context.Context) error {
	entries, err := os.ReadDir(d.Runtime)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	errs := []error{err, bundle.Remove(ctx, filepath.Dir(d.State), filepath.Base(d.State), bundle.RemoveOptions{})}
	for _, entry := range entries {
		if name := entry.Name(); name != filepath.Base(d.Lock()) {
			errs = append(errs, bundle.Remove(ctx, d.Runtime, name, bundle.RemoveOptions{}))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return d.removeLock()
}

// Leave removes the runtime directory if no launch has left anything in it. The
// caller holds the lock, and uses the directory no more.
func (d Dirs) Leave() error {
	for _, path := range []string{d.ControlSocket(), d.Launches(), d.Secrets(), d.RuntimeRoot()} {
		err := os.Remove(path)
		step.Done("directory-left")
		if errors.Is(err, unix.ENOTEMPTY) {
			return nil // for the next sweep
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove runtime directory: %w", err)
		}
	}
	return d.removeLock()
}

// removeLock removes the lock and its directory. From the moment that the file
// is gone another gatewayd may make its own there, and keeps the directory. One that
// an operator has given a file system of its own (EBUSY) stays, too.
func (d Dirs) removeLock() error {
	for _, path := range []string{d.Lock(), d.Runtime} {
		err := os.Remove(path)
		step.Done("lock-removed")
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("remove runtime directory: %w", err)
		}
	}
	return nil
}
