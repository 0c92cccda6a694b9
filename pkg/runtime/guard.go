package runtime

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Between fork and execve Go's child moves what it is passed out of the way, to
// the numbers above the highest of it (syscall.forkAndExecInChild1). What lies
// there is closed, and /proc/self/fd/N would not be the runtime any more: a
// daemon with some ninety descriptors could start nothing. So the numbers below
// the sealed program are taken, by copies that nobody passes: what is passed
// lies further below, or above.
const (
	lowestFD = 100
	guard    = 32 // no call passes as many that have to be moved
)

// guarded copies the descriptor of a sealed program to a number with a guard.
func guarded(fd int) (*sealed, error) {
	for lowest := lowestFD; ; {
		run, next, err := inARow(fd, lowest, guard+1)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EMFILE) { // fcntl(2): beyond RLIMIT_NOFILE
			return nil, fmt.Errorf("seal: the limit of open files must be well above %d (LimitNOFILE=, ulimit -n)", next+guard)
		}
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		if run != nil {
			return &sealed{fd: run[guard], below: run[:guard]}, nil
		}
		lowest = next
	}
}

// inARow copies fd n times to numbers in a row, from lowest on. Nil: another
// descriptor is among them, and a row may begin at next.
func inARow(fd, lowest, n int) (run []int, next int, err error) {
	for next = lowest; len(run) < n; next++ {
		copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, next)
		if err == nil {
			run = append(run, copied)
		}
		if err != nil || len(run) > 1 && copied != next {
			for _, fd := range run {
				_ = unix.Close(fd)
			}
			return nil, max(next, copied), err
		}
		next = copied
	}
	return run, next, nil
}
