package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// start measures systemctl start of the stopped unit to the first answer.
func (c *column) start(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		_, err := systemctl(ctx, "start", c.unit)
		if err != nil {
			cancel() // no need to ask on
		}
		done <- err
	}()
	err := answers(ctx, c.address)
	took := time.Since(began)
	if err := errors.Join(err, <-done); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, c.journal(context.WithoutCancel(ctx)))
	}
	return took, nil
}

// kill measures SIGKILL of the gateway to the next answer.
func (c *column) kill(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pid, err := gatewayPid(c.address)
	if err != nil {
		return 0, err
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(pidfd)
	began := time.Now()
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil {
		return 0, os.NewSyscallError("pidfd_send_signal", err)
	}
	if err := dead(pidfd); err != nil {
		return 0, err
	}
	if err := answers(ctx, c.address); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, c.journal(context.WithoutCancel(ctx)))
	}
	return time.Since(began), nil
}

// dead waits for the end of a process.
func dead(pidfd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
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

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
