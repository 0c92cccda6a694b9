package secrets

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Guard keeps the memory, the open files and the environment of this process
// from other processes of the same user, and from core dumps: /proc/PID/mem,
// environ, fd, and ptrace(2) are root's from then on (PR_SET_DUMPABLE in
// prctl(2)). It does not last over an execve(2). Harmless when repeated.
//
// A child has the same until it executes a program, so no mapping of a user
// namespace can be written for it before (user_namespaces(7)).
func Guard() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep memory from other processes: %w", os.NewSyscallError("prctl", err))
	}
	return nil
}

// Unguard undoes Guard, where it turned out that no secret is held.
func Unguard() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0))
}

// WipeEnvironment overwrites the environment that this process was started with,
// which /proc/PID/environ shows for as long as the process lives: what
// os.Clearenv clears is Go's copy. Where it lies only the kernel can move
// (PR_SET_MM wants CAP_SYS_RESOURCE), but what lies there is ours.
func WipeEnvironment() error {
	start, end, err := environmentAt()
	if err != nil {
		return fmt.Errorf("wipe the environment: %w", err)
	}
	// By the kernel, and not by a pointer of ours: a wrong number is then an
	// error and not a fault.
	zeros := make([]byte, end-start)
	if len(zeros) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &zeros[0]}}
	local[0].SetLen(len(zeros))
	remote := []unix.RemoteIovec{{Base: start, Len: len(zeros)}}
	n, err := unix.ProcessVMWritev(os.Getpid(), local, remote, 0)
	if err == nil && n != len(zeros) {
		err = fmt.Errorf("%d of %d bytes", n, len(zeros))
	}
	if err != nil {
		return fmt.Errorf("wipe the environment: process_vm_writev: %w", err)
	}
	return nil
}

// environmentAt reads env_start and env_end, the fields 50 and 51 of
// /proc/PID/stat (proc(5)). The second may have anything in it but a ")".
func environmentAt() (start, end uintptr, err error) {
	data, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, err
	}
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // from the third on
	const first = 50 - 3
	if len(fields) < first+2 {
		return 0, 0, fmt.Errorf("/proc/self/stat has %d fields", len(fields)+2)
	}
	from, err := strconv.ParseUint(fields[first], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	to, err := strconv.ParseUint(fields[first+1], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	if from == 0 || to < from || to-from > 32<<20 { // MAX_ARG_STRINGS times less than that in practice
		return 0, 0, fmt.Errorf("it lies at %d to %d", from, to)
	}
	return uintptr(from), uintptr(to), nil
}
