package bundle

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// unlinkOrOpen removes name if it is no directory, and otherwise opens it,
// ready to be emptied. done: it is gone, or the error is noted.
func (e *eraser) unlinkOrOpen(parent *os.File, n *node, name string) (dir *os.File, done bool) {
	for range maxPasses {
		err := unix.Unlinkat(int(parent.Fd()), name, 0)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil, true
		}
		// A directory (EISDIR) is opened. So is one that cannot be unlinked
		// for another reason: what is in it may still be removable.
		dir, openErr := openToRemove(parent, name)
		if openErr == nil {
			return dir, false
		}
		if !errors.Is(openErr, unix.ENOTDIR) && !errors.Is(openErr, unix.ELOOP) && !errors.Is(openErr, unix.ENOENT) {
			e.fail("remove", n, openErr)
			return nil, true
		}
		if !errors.Is(err, unix.EISDIR) {
			e.fail("remove", n, err)
			return nil, true
		}
		// It was a directory and is none any more: somebody swaps them.
	}
	e.fail("remove", n, errors.New("changes while it is removed"))
	return nil, true
}

func (e *eraser) rmdir(parent *os.File, n *node, name string) {
	err := unix.Unlinkat(int(parent.Fd()), name, unix.AT_REMOVEDIR)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		e.fail("remove", n, err)
	}
}

// openToRemove opens the directory name for listing, with all rights of its
// owner. The mode is changed through a descriptor of that very directory, never
// by its name: a chmod by name would follow a symbolic link that is put in its
// place, and open up a directory elsewhere. O_PATH opens what the mode forbids
// to read; fchmod(2) refuses such a descriptor, its entry in /proc/self/fd
// does not.
func openToRemove(parent *os.File, name string) (*os.File, error) {
	dir, err := openBeneath(parent, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err == nil {
		widen(dir)
		return dir, nil
	}
	if !errors.Is(err, unix.EACCES) {
		return nil, err
	}
	place, err := openBeneath(parent, name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer place.Close()
	if err := unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", place.Fd()), 0o700); err != nil {
		return nil, err
	}
	return openBeneath(place, ".", unix.O_RDONLY|unix.O_DIRECTORY)
}

// widen gives the owner all rights in dir. That it fails is no error yet: root
// needs no mode, and a directory of another owner may still let us in. What
// then cannot be removed says so itself.
func widen(dir *os.File) {
	var st unix.Stat_t
	if unix.Fstat(int(dir.Fd()), &st) == nil && st.Mode&0o700 != 0o700 {
		_ = unix.Fchmod(int(dir.Fd()), 0o700)
	}
}
