package inside

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// firstSocket is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstSocket = 3

// passedSockets is the number of sockets that were passed to this process.
func passedSockets() int {
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return 0
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// become executes the program in place of this process. Sockets that were meant
// for its parent, Init, are now meant for it: who takes them checks that
// LISTEN_PID is its own pid, which nobody else can know before the fork.
func become(path string, args []string) error {
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getppid()) {
		if err := os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())); err != nil {
			return err
		}
		// Whatever else whoever started us has left open is not meant for it.
		if err := unix.CloseRange(uint(firstSocket+passedSockets()), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
			return os.NewSyscallError("close_range", err)
		}
	}
	err := syscall.Exec(path, args, os.Environ())
	return fmt.Errorf("run program: %w", &os.PathError{Op: "exec", Path: path, Err: err})
}
