package bundle

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// unlink removes an entry of b. done: it is gone, or the error is noted;
// otherwise it is a directory, or may be one. Directories are known by the
// listing: asked to unlink one, ext4 would lock it and its parent to say no.
func (e *eraser) unlink(b *branch, name string, kind uint8) (done bool) {
	if kind == unix.DT_DIR || kind == unix.DT_UNKNOWN {
		return false
	}
	err := unlinkWide(b, name, 0)
	switch {
	case err == nil:
		return true
	case errors.Is(err, unix.EISDIR): // by now
		return false
	}
	e.fail("remove", b, name, err)
	return true
}

// unlinkWide gives itself the rights of b's owner when it lacks them.
func unlinkWide(b *branch, name string, flags int) error {
	err := unix.Unlinkat(b.fd, name, flags)
	if errors.Is(err, unix.EACCES) && b.widen() {
		err = unix.Unlinkat(b.fd, name, flags)
	}
	step.Done("entry-removed")
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// open opens the directory b, ready to be emptied. If it is none it is removed.
func (e *eraser) open(b *branch) bool {
	for range maxPasses {
		fd, err := b.open()
		if err == nil {
			b.fd = fd
			return true
		}
		if !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) {
			if !errors.Is(err, unix.ENOENT) {
				e.fail("remove", b.parent, b.name, err)
			}
			return false
		}
		if e.unlink(b.parent, b.name, unix.DT_REG) {
			return false
		}
		// It was no directory and is one now: somebody swaps them.
	}
	e.fail("remove", b.parent, b.name, errChanging)
	return false
}

// rmdir removes the directory b, which is empty. done: it is gone, or the error
// is noted; otherwise there is something in it.
func (e *eraser) rmdir(b *branch) (done bool) {
	err := unlinkWide(b.parent, b.name, unix.AT_REMOVEDIR)
	switch {
	case err == nil:
		return true
	case errors.Is(err, unix.ENOTDIR): // swapped, and seen when the parent is gone through again
		return true
	case errors.Is(err, unix.ENOTEMPTY) && b.passes < maxPasses:
		b.passes++
		return false
	}
	e.fail("remove", b.parent, b.name, err)
	return true
}

// open opens b for listing. Where its mode forbids that the mode is changed
// through a descriptor of that very directory, never by its name: a chmod by
// name would follow a symbolic link that is put in its place, and open up a
// directory elsewhere.
func (b *branch) open() (int, error) {
	fd, err := b.openFrom(unix.O_RDONLY)
	if errors.Is(err, unix.EACCES) && b.parent.widen() {
		fd, err = b.openFrom(unix.O_RDONLY)
	}
	if !errors.Is(err, unix.EACCES) {
		return fd, err
	}
	place, err := b.openFrom(unix.O_PATH)
	if err != nil {
		return -1, err
	}
	defer unix.Close(place)
	b.wide.Store(true)
	if err := chmodPlace(place, 0o700); err != nil {
		return -1, err
	}
	step.Done("directory-opened")
	return openAt(place, ".", unix.O_RDONLY|unix.O_DIRECTORY)
}

// openFrom opens b in its parent. openat2(2) with RESOLVE_NO_XDEV refuses
// whatever is another mount, also a bind mount of the same file system, or of
// the tree itself; and it does so in the open, where a comparison of mount ids
// (statx(2)) could only follow.
func (b *branch) openFrom(access uint64) (int, error) {
	return openAt(b.parent.fd, b.name, access|unix.O_DIRECTORY)
}

// chmodPlace is for an O_PATH descriptor, as one has of what the mode forbids
// to read. fchmod(2) refuses those, the entry in /proc/self/fd does not.
func chmodPlace(fd int, mode uint32) error {
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode)
}

// widen gives the owner all rights in b, and reports whether it lacked any:
// then what was refused is worth another try. That it fails is no error: root
// needs no mode, and a directory of another owner may still let us in. What
// then cannot be removed says so itself.
func (b *branch) widen() bool {
	var st unix.Stat_t
	if b.wide.Swap(true) || unix.Fstat(b.fd, &st) != nil || st.Mode&0o700 == 0o700 {
		return false
	}
	err := unix.Fchmod(b.fd, 0o700)
	step.Done("directory-opened")
	return err == nil
}
