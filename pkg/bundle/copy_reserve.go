package bundle

import (
	"os"

	"golang.org/x/sys/unix"
)

// A reserve are descriptors that a copy keeps for its end: when it ran out of
// them, what it made could not be removed either.
type reserve []int

// reserved is more than a removal needs that finds few left.
const reserved = 12

func newReserve(of *os.File) (reserve, error) {
	var r reserve
	for range reserved {
		fd, err := unix.FcntlInt(of.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			r.release()
			return nil, &os.PathError{Op: "open", Path: of.Name(), Err: err}
		}
		r = append(r, fd)
	}
	return r, nil
}

func (r reserve) release() {
	for _, fd := range r {
		_ = unix.Close(fd) // was never used
	}
}
