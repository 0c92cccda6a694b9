package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// pidfd is a process that cannot be mistaken for another one: unlike a pid, it
// never comes to mean a later process. It is an *os.File in Go's poller, so
// that waiting for the end of a process takes a goroutine and no thread.
type pidfd struct {
	file *os.File
	conn syscall.RawConn
}

func openPidfd(pid int) (*pidfd, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("open pidfd of %d: %w", pid, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // what makes os.NewFile use the poller
		unix.Close(fd)
		return nil, fmt.Errorf("open pidfd of %d: %w", pid, err)
	}
	file := os.NewFile(uintptr(fd), fmt.Sprintf("pidfd:%d", pid))
	conn, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open pidfd of %d: %w", pid, err)
	}
	return &pidfd{file, conn}, nil
}

// signal sends sig; a process that is gone is a success.
func (p *pidfd) signal(sig syscall.Signal) error {
	var err error
	if controlErr := p.conn.Control(func(fd uintptr) {
		err = unix.PidfdSendSignal(int(fd), sig, nil, 0)
		step.Done("signal-sent")
	}); controlErr != nil {
		return controlErr
	}
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// wait returns nil when the process has ended; one caller at a time. A pidfd
// becomes readable at the end of the last thread (pidfd_open(2)).
func (p *pidfd) wait(ctx context.Context) error {
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.file.SetReadDeadline(time.Unix(0, 1)) })
	defer stop()
	err := p.conn.Read(func(fd uintptr) bool { return ended(int(fd)) })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return context.Cause(ctx)
	}
	return err
}

// ended asks without waiting. It works for strangers, too, unlike waitid.
func ended(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}

// exitStatus is what waitid tells of a child.
type exitStatus struct {
	exited bool // false: it lives
	status Status
}

// waitid asks for the status of a child without waiting. With unix.WNOWAIT the
// zombie stays, and with it its pid. ErrNotChild: it is none of ours, or was
// reaped.
func (p *pidfd) waitid(options int) (exitStatus, error) {
	var info unix.Siginfo
	var err error
	controlErr := p.conn.Control(func(fd uintptr) {
		for {
			err = unix.Waitid(unix.P_PIDFD, int(fd), &info, unix.WEXITED|unix.WNOHANG|options, nil)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	if controlErr != nil {
		return exitStatus{}, controlErr
	}
	if errors.Is(err, unix.ECHILD) {
		return exitStatus{}, ErrNotChild
	}
	if err != nil {
		return exitStatus{}, fmt.Errorf("waitid: %w", err)
	}
	return readSiginfo(&info), nil
}

func (p *pidfd) Close() error { return p.file.Close() }

// siginfoChild is the SIGCHLD view of siginfo_t (sigaction(2)), whose union
// x/sys leaves opaque. It begins at the alignment of a pointer.
type siginfoChild struct {
	signo, errno, code int32
	_                  [0]uintptr
	pid                int32
	uid                uint32
	status             int32
}

func readSiginfo(info *unix.Siginfo) exitStatus {
	child := (*siginfoChild)(unsafe.Pointer(info))
	switch child.code {
	case 1: // CLD_EXITED
		return exitStatus{true, Status{Code: int(child.status)}}
	case 2, 3: // CLD_KILLED, CLD_DUMPED
		return exitStatus{true, Status{Signal: syscall.Signal(child.status)}}
	default: // WNOHANG and nothing to tell: all zero
		return exitStatus{}
	}
}
