package service

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/test/bench/load"
)

// Start measures systemctl start of the stopped unit to the first answer.
func (u *Unit) Start(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		_, err := Systemctl(ctx, append(append([]string{"start"}, u.sockets...), u.Name)...)
		if err != nil {
			cancel() // no need to ask on
		}
		done <- err
	}()
	err := Answers(ctx, u.Address)
	took := time.Since(began)
	return took, u.Explain(ctx, errors.Join(err, <-done))
}

// Killed is one kill of the gateway's process.
type Killed struct {
	load.Kill
	Took time.Duration // SIGKILL → next answer
}

// Kill kills the gateway's process and waits for the next answer. Asking begins
// when the process is dead: no answer of the old one counts.
func (u *Unit) Kill(ctx context.Context) (k Killed, err error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	pid, err := u.Pid(ctx)
	if err != nil {
		return k, err
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return k, os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(pidfd)
	began := time.Now()
	k.Sent = load.Now()
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil {
		return k, os.NewSyscallError("pidfd_send_signal", err)
	}
	if err := dead(pidfd); err != nil {
		return k, err
	}
	k.Dead = load.Now()
	if err := Answers(ctx, u.Address); err != nil {
		return k, u.Explain(ctx, err)
	}
	k.Took = time.Since(began)
	return k, nil
}

// dead waits for the end of a process.
func dead(pidfd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(Patience.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n == 0:
			return errors.New("wait for the killed process: it does not end")
		default:
			return nil
		}
	}
}
