package inside

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Init runs the program argv as PID 1 of a container and returns the code to
// exit with once it has ended. An error means that it was never run: Code gives
// the exit code for it. A leading "--" in argv is passed over.
//
// In a process that is not PID 1, Init becomes the program at once and returns
// only with an error.
func Init(argv []string) (code int, err error) {
	path, args, err := program(argv)
	if err != nil {
		return 0, err
	}
	if os.Getpid() != 1 {
		return 0, become(path, args)
	}
	// From before the fork on, so that no signal falls between: PID 1 without
	// a handler would drop it.
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	c, err := start(path, args)
	if err != nil {
		return 0, err
	}
	go forward(signals, c)
	status, err := reap(c.pid)
	if err != nil {
		return 0, err
	}
	return report(status), nil
}

type child struct{ pid, pidfd int }

// start runs the program as a child that leads a session of its own, as it did
// as PID 1, and that signals from a terminal's foreground group do not reach
// twice.
func start(path string, args []string) (child, error) {
	passed := passedSockets()
	if passed > 0 {
		path, args = "/proc/self/exe", append([]string{os.Args[0], "init", Separator}, args...)
	}
	c := child{pidfd: -1}
	attr := &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2}, // those above 2 that are not close-on-exec stay open as well
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &c.pidfd},
	}
	var err error
	if c.pid, err = syscall.ForkExec(path, args, attr); err != nil {
		return c, fmt.Errorf("run program: %w", &os.PathError{Op: "exec", Path: path, Err: err})
	}
	// A socket that the program closes must be closed.
	for fd := firstSocket; fd < firstSocket+passed; fd++ {
		unix.Close(fd)
	}
	return c, nil
}

// forward hands signals on, through the pidfd: the pid may already be another
// process's once reap has seen the program die.
func forward(signals <-chan os.Signal, c child) {
	for s := range signals {
		n, ok := s.(syscall.Signal)
		if !ok || n == syscall.SIGCHLD || n == syscall.SIGURG {
			// SIGCHLD is about our own children. Go's runtime sends itself
			// SIGURG to preempt goroutines, and cannot tell who sent one.
			continue
		}
		_ = unix.PidfdSendSignal(c.pidfd, n, nil, 0) // gone already: it needs no signal
	}
}

// reap waits for children until the program pid is among them.
//
// wait4(-1) belongs here and nowhere else: as PID 1 of its pid namespace this
// process is the parent of all orphans in it, and nobody else waits for them.
func reap(pid int) (unix.WaitStatus, error) {
	for {
		var status unix.WaitStatus
		reaped, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, os.NewSyscallError("wait4", err)
		case reaped == pid:
			return status, nil
		}
	}
}
