package bundle

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A stamp is by what an entry is taken to be the one that it was. Content that
// is written, a file renamed over another, a mode or an owner that is changed:
// each sets ctime, which no call can set back (utimensat(2) does not). Only who
// writes through a shared mapping sets it no more than once for many writes, as
// mmap(2) says: such a change may be missed by all but ContentAll.
type stamp struct {
	ino          uint64
	size         int64
	mtime, ctime int64 // nanoseconds since 1970; those beyond 2262 wrap around, and still differ
}

// A sighting is what the kernel said of an entry at one moment.
type sighting struct {
	stamp
	mode, uid, gid, nlink uint32
	dev, rdev             uint64
}

func (s *sighting) kind() uint32 { return s.mode & unix.S_IFMT }

// sight looks at name in the directory dir, and follows no symbolic link. What
// is mounted on it is an error: its inode would tell nothing of the tree. That is
// asked of the attribute because another mount of the same file system has the
// same device number.
func sight(dir int, name string) (sighting, error) {
	s, attributes, err := statx(dir, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	if err == nil && attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		err = fmt.Errorf("something is mounted there: %w", unix.EXDEV)
	}
	return s, err
}

// sightOpen looks at what is open as fd, which may be what a mount begins with.
func sightOpen(fd int) (sighting, error) {
	s, _, err := statx(fd, "", unix.AT_EMPTY_PATH)
	return s, err
}

func statx(dir int, name string, flags int) (sighting, uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(dir, name, flags, unix.STATX_BASIC_STATS, &st)
	for errors.Is(err, unix.EINTR) { // a network file system
		err = unix.Statx(dir, name, flags, unix.STATX_BASIC_STATS, &st)
	}
	return sighting{
		stamp: stamp{
			ino: st.Ino, size: int64(st.Size),
			mtime: st.Mtime.Sec*1e9 + int64(st.Mtime.Nsec), ctime: st.Ctime.Sec*1e9 + int64(st.Ctime.Nsec),
		},
		mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid, nlink: st.Nlink,
		dev: unix.Mkdev(st.Dev_major, st.Dev_minor), rdev: unix.Mkdev(st.Rdev_major, st.Rdev_minor),
	}, st.Attributes, err
}

// openQuietly opens path below dir. With O_NOATIME it leaves no new access time
// where the kernel allows that: to owners (open(2)).
func openQuietly(dir int, path string, flags uint64) (int, error) {
	fd, err := openAt(dir, path, flags)
	if errors.Is(err, unix.EPERM) && flags&unix.O_NOATIME != 0 {
		return openAt(dir, path, flags&^unix.O_NOATIME)
	}
	return fd, err
}

// closedError says of what could not be read what a reader of "permission denied"
// has to look up next.
func closedError(op, rel string, s *sighting, cause error) error {
	if errors.Is(cause, unix.EACCES) {
		cause = withOwner(cause, s.mode, s.uid, s.gid)
	}
	return sourceError(op, rel, cause)
}
