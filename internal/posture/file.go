package posture

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// File is what the kernel tells files apart by.
type File struct {
	Major uint32 `json:"major"`
	Minor uint32 `json:"minor"`
	Inode uint64 `json:"inode"`
}

func (f File) String() string {
	return fmt.Sprintf("inode %d of device %d:%d", f.Inode, f.Major, f.Minor)
}

// statMask: not the size or the times, for which a network file system would have
// to be asked.
const statMask = unix.STATX_TYPE | unix.STATX_INO | unix.STATX_NLINK | unix.STATX_MNT_ID

// statAt mounts what is mounted on demand there, as mount(2) does for a source: else
// it would tell of the directory that the mount then covers.
func statAt(dir int, path string, flags int) (*unix.Statx_t, error) {
	var st unix.Statx_t
	err := unix.Statx(dir, path, flags|unix.AT_STATX_DONT_SYNC, statMask, &st)
	if err != nil {
		return nil, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return &st, nil
}

// isMount says whether something is mounted at that very place (statx(2)).
func isMount(st *unix.Statx_t) bool { return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 }

func identity(st *unix.Statx_t) File { return File{st.Dev_major, st.Dev_minor, st.Ino} }

func fileAt(path string) (File, error) {
	st, err := statAt(unix.AT_FDCWD, path, 0)
	if err != nil {
		return File{}, err
	}
	return identity(st), nil
}

func fileOf(file *os.File) (id File, err error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return File{}, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		var st *unix.Statx_t
		if st, err = statAt(int(fd), "", unix.AT_EMPTY_PATH); err == nil {
			id = identity(st)
		}
	})
	if controlErr != nil {
		return File{}, controlErr
	}
	return id, err
}
