package inside

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/seccomp"
)

// FilterFile is the descriptor of the seccomp filter for Confine, a sealed file of
// package seccomp. An empty one is that of an unconfined container.
const FilterFile = 4

// Confine gives up every capability and the way to get one, puts itself under
// the filter in FilterFile, then becomes the program argv. It returns only with an error, and then has not run it: Code
// gives the exit code. A leading "--" in argv is passed over.
func Confine(argv []string) error {
	// Capabilities, no_new_privs and what execve makes of them belong to a
	// thread: all of this happens on one, and execve ends the others.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	path, args, err := program(argv)
	if err != nil {
		return err
	}
	if err := confine(); err != nil {
		return fmt.Errorf("confine program: %w", err)
	}
	if err := installFilter(); err != nil {
		return fmt.Errorf("confine program: %w", err)
	}
	err = syscall.Exec(path, args, os.Environ())
	return fmt.Errorf("run program: %w", &os.PathError{Op: "exec", Path: path, Err: err})
}

// confine is about order. The bounding set can only be dropped by who still
// has CAP_SETPCAP, so capset comes after it; and the process hides from the
// container, which shares its pid namespace, before it does anything else.
func confine() error {
	steps := []struct {
		name string
		do   func() error
	}{
		// Not dumpable: no ptrace, no /proc/PID/exe or /fd for others. execve
		// sets it anew for the program.
		{"PR_SET_DUMPABLE", func() error { return prctl(unix.PR_SET_DUMPABLE, 0) }},
		// The descriptors that led here are the host's.
		{"close_range", func() error { return unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }},
		{"PR_SET_NO_NEW_PRIVS", func() error { return prctl(unix.PR_SET_NO_NEW_PRIVS, 1) }},
		{"PR_CAP_AMBIENT", func() error { return prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL) }},
		{"PR_CAPBSET_DROP", dropBounding},
		{"capset", dropCapabilities},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return os.NewSyscallError(step.name, err)
		}
	}
	return nil
}

// installFilter comes last: a filter may refuse all that confine does. It must
// let execve pass, and what Go's runtime does until then, as it must for the
// runtime that started the container.
func installFilter() error {
	file := os.NewFile(FilterFile, "seccomp filter")
	defer func() { _ = file.Close() }() // before execve, which would close it as well
	filter, err := seccomp.Read(file)
	if err != nil {
		return err
	}
	return filter.Install()
}

// dropBounding empties the bounding set. A process without CAP_SETPCAP cannot:
// one whose user namespace does not map it to 0 has lost all capabilities with
// the execve of gatewayd. For that one the set means nothing any more, since
// no_new_privs keeps execve from giving what the set would allow. Who has any
// capability has this one, or is refused.
func dropBounding() error {
	for c := uintptr(0); ; c++ {
		held, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // past the last one that this kernel knows
		}
		if err != nil {
			return err
		}
		if held == 0 {
			continue
		}
		if err := prctl(unix.PR_CAPBSET_DROP, c); err != nil {
			if none, e := noCapabilities(); errors.Is(err, unix.EPERM) && e == nil && none {
				return nil
			}
			return err
		}
	}
}

func noCapabilities() (bool, error) {
	var sets [2]unix.CapUserData
	if err := unix.Capget(capHeader(), &sets[0]); err != nil {
		return false, err
	}
	return sets[0].Permitted|sets[1].Permitted|sets[0].Inheritable|sets[1].Inheritable == 0, nil
}

// dropCapabilities empties the effective, permitted and inheritable sets.
func dropCapabilities() error {
	var none [2]unix.CapUserData
	return unix.Capset(capHeader(), &none[0])
}

// capHeader means this thread (pid 0) and sets of 64 bits, in two halves.
func capHeader() *unix.CapUserHeader {
	return &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
}

func prctl(option int, argument uintptr) error { return unix.Prctl(option, argument, 0, 0, 0) }
