package example

import (
	"syscall"
	"unsafe"
)

// defaultAction gives signal its default action behind the back of Go's
// runtime, which would turn a fault into a panic with exit code 2.
// signal.Reset does not do that: the runtime keeps its own handlers.
func defaultAction(signal syscall.Signal) {
	// struct sigaction of the kernel, zero: SIG_DFL, no flags, empty mask. It
	// has at most four words on any architecture, and a mask of eight bytes. The
	// call fails for SIGKILL and SIGSTOP alone, which have no other action.
	var action [4]uint64
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}
