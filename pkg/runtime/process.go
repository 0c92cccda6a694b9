package runtime

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// Status is the end of a process: an exit code, or the signal that killed it.
type Status struct {
	Code   int // -1: not known (still running, or reaped by somebody else)
	Signal syscall.Signal
}

// Process is a child whose end this program waits for, without taking it away:
// until Reap the zombie stays, and with it the pid and the status, so that a
// later image of the daemon can still read them and nobody else gets the pid.
type Process struct {
	pid    int
	fd     *pidfd
	exited chan struct{}
	status Status // valid once exited is closed
	forget func() // called when it is reaped; may be nil
}

// Watch begins to wait for the child pid. The error is ErrNotChild for any
// other process. A process that a subreaper inherited is its child.
func Watch(pid int) (*Process, error) {
	fd, err := openPidfd(pid)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	if _, err := fd.waitid(unix.WNOWAIT); err != nil {
		fd.Close()
		return nil, fmt.Errorf("watch %d: %w", pid, err)
	}
	p := &Process{pid: pid, fd: fd, exited: make(chan struct{})}
	go p.watch()
	return p, nil
}

func (p *Process) watch() {
	if p.fd.wait(context.Background()) != nil {
		return // closed
	}
	p.status = Status{Code: -1}
	if end, err := p.fd.waitid(unix.WNOWAIT); err == nil && end.exited {
		p.status = end.status
	}
	close(p.exited)
}

// Pid returns the pid, which stays this process's own until Reap.
func (p *Process) Pid() int { return p.pid }

// Exited is closed when the process has ended; never after Close.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Status returns how the process ended; Code -1 while Exited is open.
func (p *Process) Status() Status {
	select {
	case <-p.exited:
		return p.status
	default:
		return Status{Code: -1}
	}
}

// Signal sends sig to this process and no other; gone already: nil.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.fd.signal(sig); err != nil {
		return fmt.Errorf("send %v to %d: %w", sig, p.pid, err)
	}
	return nil
}

// Stop asks the process to end: it sends sig, or SIGKILL when sig could do
// nothing. The kernel drops a signal without a handler that is sent to PID 1 of
// a pid namespace (pid_namespaces(7)); elsewhere its default action would have
// ended the process, so it is ended here as well. A process that ignores sig by
// its own choice is sent sig. Gone already: nil.
func (p *Process) Stop(sig syscall.Signal) error {
	// The pid is still this process's own: nobody but Reap frees it.
	if d, err := readDisposition(p.pid); err == nil && d.drops(sig) {
		sig = syscall.SIGKILL
	}
	return p.Signal(sig)
}

// Reap frees the pid of a process that has ended. ErrRunning: it has not.
// Reaped already: nil.
func (p *Process) Reap() error {
	end, err := p.fd.waitid(0)
	if errors.Is(err, ErrNotChild) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reap %d: %w", p.pid, err)
	}
	if !end.exited {
		return fmt.Errorf("reap %d: %w", p.pid, ErrRunning)
	}
	step.Done("process-reaped")
	if p.forget != nil {
		p.forget()
	}
	return nil
}

// Close ends the watching, not the process, and frees the descriptor. All other
// methods but Pid, Exited and Status then return an error. Idempotent.
func (p *Process) Close() { _ = p.fd.Close() }
