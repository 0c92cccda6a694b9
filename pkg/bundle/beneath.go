package bundle

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// openBeneath opens path below dir and follows no symbolic link and enters no
// mount on the way: a tree that is changed while it is read can make what was
// read wrong, but cannot lead out of itself.
func openBeneath(dir *os.File, path string, flags uint64) (*os.File, error) {
	fd, err := openAt(int(dir.Fd()), path, flags)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openAt is openBeneath for descriptors. A path that is longer than the kernel
// takes is walked in pieces.
func openAt(dir int, path string, flags uint64) (int, error) {
	if len(path) < unix.PathMax {
		return open2(dir, path, flags)
	}
	cut := strings.LastIndexByte(path[:unix.PathMax-1], '/')
	if cut < 0 {
		return -1, unix.ENAMETOOLONG
	}
	next, err := open2(dir, path[:cut], unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	defer unix.Close(next)
	return openAt(next, path[cut+1:], flags)
}

func open2(dir int, path string, flags uint64) (int, error) {
	for {
		fd, err := unix.Openat2(dir, path, &unix.OpenHow{
			Flags:   flags | unix.O_CLOEXEC | unix.O_NOFOLLOW,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
		})
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EXDEV): // whose text speaks of links
			return -1, fmt.Errorf("something is mounted there: %w", err)
		}
		return -1, err
	}
}
