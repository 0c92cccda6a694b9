package handover

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec becomes the program at path, with what is packed. It returns only when
// that cannot be; Signals are ignored then, and all else is as before.
//
// last is called when no further signal can reach this image, and those before
// have reached their channels: an error from it (asked to end, say) keeps this
// image. env is the environment that this image was started with; what concerned
// it alone, the number of a parcel and of systemd's sockets, is left out.
func (s *Sealed) Exec(path string, argv, env []string, last func() error) (err error) {
	ignore()
	if err := last(); err != nil {
		return err
	}
	// No child may be forked while the files can be inherited.
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	numbers, err := s.numbers()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, inherit(numbers, false)) }()
	if err := inherit(numbers, true); err != nil {
		return err
	}
	err = unix.Exec(path, argv, environment(env, numbers[0]))
	runtime.KeepAlive(s) // whose files would be closed by their finalizers
	return os.NewSyscallError("exec "+path, err)
}

// numbers of the files to pass, the memory file first.
func (s *Sealed) numbers() ([]int, error) {
	raw, err := s.memory.SyscallConn()
	if err != nil {
		return nil, err
	}
	numbers := make([]int, 1, 1+len(s.files))
	if err := raw.Control(func(fd uintptr) { numbers[0] = int(fd) }); err != nil {
		return nil, err
	}
	for _, file := range s.files {
		numbers = append(numbers, file.fd)
	}
	return numbers, nil
}

// inherit lets the files live over an exec, or not.
func inherit(numbers []int, yes bool) error {
	flags := unix.FD_CLOEXEC
	if yes {
		flags = 0
	}
	var errs []error
	for _, fd := range numbers {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags); err != nil {
			errs = append(errs, fmt.Errorf("hand over file %d: %w", fd, err))
		}
	}
	return errors.Join(errs...)
}

// environment is env for the next image.
func environment(env []string, memory int) []string {
	next := slices.DeleteFunc(slices.Clone(env), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return name == Variable || strings.HasPrefix(name, "LISTEN_") // sd_listen_fds(3): they were taken
	})
	return append(next, Variable+"="+strconv.Itoa(memory))
}
