package bundle

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// file copies one regular file, or links it to the copy of another name of it.
func (t *tree) file(ctx context.Context, l level, name string) error {
	// O_NONBLOCK: if it was swapped for a FIFO since it was looked at, open
	// must not wait for a writer.
	from, err := openBeneath(l.from, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return t.unopened(l.path(name), err)
	}
	defer from.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &st); err != nil {
		return sourceError("stat", l.path(name), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return copyError("copy", l.path(name), ErrSpecialFile)
	}
	if st.Nlink > 1 {
		if done, err := t.link(l, name, inode{st.Dev, st.Ino}); done || err != nil {
			return err
		}
	}
	if err := t.create(ctx, l, name, from, &st); err != nil {
		return copyError("copy", l.path(name), err)
	}
	return nil
}

// link makes name another name of the copy that i has already. For the first
// name of i it notes the place and does nothing.
func (t *tree) link(l level, name string, i inode) (done bool, err error) {
	first, ok := t.links[i]
	if !ok {
		t.links[i] = l.path(name)
		return false, nil
	}
	if err := unix.Linkat(int(t.to.Fd()), first, int(l.to.Fd()), name, 0); err != nil {
		return false, copyError("link", l.path(name), err)
	}
	return true, nil
}

func (t *tree) create(ctx context.Context, l level, name string, from *os.File, st *unix.Stat_t) error {
	fd, err := unix.Openat(int(l.to.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	to := os.NewFile(uintptr(fd), name)
	err = copyData(ctx, to, from, st.Size)
	if err == nil {
		err = copyXattrs(from, to)
	}
	if err == nil {
		err = settle(to, st, t.owner)
	}
	return errors.Join(err, to.Close())
}

// chunk bounds what is copied between two looks at the context.
const chunk = 64 << 20

// copyData shares the blocks where the file system can, and otherwise lets the
// kernel copy (copy_file_range, which io.CopyN comes to between two files),
// extent by extent, so that holes stay holes.
func copyData(ctx context.Context, to, from *os.File, size int64) error {
	if size == 0 || unix.IoctlFileClone(int(to.Fd()), int(from.Fd())) == nil {
		return nil
	}
	for at := int64(0); at < size; {
		data, err := from.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // only a hole is left
			break
		}
		if err != nil {
			return err
		}
		hole, err := from.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		at = min(hole, size)
		if err := copyExtent(ctx, to, from, data, at); err != nil {
			return err
		}
	}
	return to.Truncate(size)
}

func copyExtent(ctx context.Context, to, from *os.File, start, end int64) error {
	if _, err := from.Seek(start, io.SeekStart); err != nil {
		return err
	}
	if _, err := to.Seek(start, io.SeekStart); err != nil {
		return err
	}
	for start < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(to, from, min(end-start, chunk))
		if err != nil {
			return err
		}
		start += n
	}
	return nil
}

func (t *tree) symlink(l level, name string, st *unix.Stat_t) error {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(l.from.Fd()), name, target)
	if err != nil {
		return sourceError("read link", l.path(name), err)
	}
	to := int(l.to.Fd())
	if err := unix.Symlinkat(string(target[:n]), to, name); err != nil {
		return copyError("make link", l.path(name), err)
	}
	if t.owner != nil {
		if err := unix.Fchownat(to, name, t.owner.UID, t.owner.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return copyError("chown", l.path(name), err)
		}
	}
	if err := unix.UtimesNanoAt(to, name, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return copyError("set times of", l.path(name), err)
	}
	return nil
}

// settle gives a finished copy its owner, mode and times. The order matters:
// chown clears set-ID bits, and every change but the last one is a change of
// the times.
func settle(to *os.File, st *unix.Stat_t, owner *owner) error {
	fd, mode := int(to.Fd()), st.Mode&0o7777
	if owner != nil {
		if err := unix.Fchown(fd, owner.UID, owner.GID); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			mode &^= unix.S_ISUID | unix.S_ISGID
		}
	}
	if err := unix.Fchmod(fd, mode); err != nil {
		return err
	}
	return unix.UtimesNanoAt(fd, "", []unix.Timespec{st.Atim, st.Mtim}, unix.AT_EMPTY_PATH)
}

// copyXattrs copies the attributes in the user namespace. The others are left
// behind on purpose: security.capability would be a way to capabilities that no
// container has, trusted.* and system.* are the host's.
func copyXattrs(from, to *os.File) error {
	names, err := readAll(func(buf []byte) (int, error) { return unix.Flistxattr(int(from.Fd()), buf) })
	if err != nil || len(names) == 0 {
		return ignoreUnsupported(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if !strings.HasPrefix(name, "user.") {
			continue
		}
		value, err := readAll(func(buf []byte) (int, error) { return unix.Fgetxattr(int(from.Fd()), name, buf) })
		if err == nil {
			err = unix.Fsetxattr(int(to.Fd()), name, value, 0)
		}
		if err != nil {
			return &os.SyscallError{Syscall: "xattr " + name, Err: err}
		}
	}
	return nil
}

// readAll calls an xattr call for the size, then for the value, again while the
// value grows in between.
func readAll(call func([]byte) (int, error)) ([]byte, error) {
	for {
		size, err := call(nil)
		if err != nil || size == 0 {
			return nil, err
		}
		buf := make([]byte, size)
		n, err := call(buf)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		return buf[:max(n, 0)], err
	}
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
