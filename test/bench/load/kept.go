package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// askKept is one client. Its thread waits in the kernel: the way through the
// poller of the Go runtime would be a good part of what is measured.
func (r *runner) askKept(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	buffer := make([]byte, 16<<10)
	conn := socket(-1)
	defer func() { conn.Close() }()
	for ctx.Err() == nil {
		if !conn.open() {
			conn.Close()
			began := Now()
			var err error
			if conn, err = r.connect(); err != nil {
				r.kept.add(began, err)
				wait(ctx, max(r.Pause, time.Millisecond)) // else thousands are refused
				continue
			}
		}
		began := Now()
		last, err := r.again(conn, buffer)
		r.kept.add(began, err)
		if last || err != nil {
			conn.Close()
			conn = -1
		}
		wait(ctx, r.Pause)
	}
}

func (r *runner) again(conn socket, buffer []byte) (last bool, err error) {
	if _, err := conn.Write(r.request); err != nil {
		return false, fmt.Errorf("%w: %w", errUnsent, err)
	}
	last, _, err = answer(conn, buffer)
	return last, err
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// socket is a blocking one; -1: none.
type socket int

func (r *runner) connect() (socket, error) {
	conn, err := r.dial()
	if err != nil {
		return -1, err
	}
	defer conn.Close() // of the file, too, the connection is the copy's
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	s := socket(-1)
	if e := raw.Control(func(fd uintptr) { s, err = blocking(int(fd), r.Timeout) }); e != nil {
		return -1, e
	}
	return s, err
}

// blocking copies fd and has reads and writes wait, at most for d.
func blocking(fd int, d time.Duration) (socket, error) {
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	limit := unix.NsecToTimeval(d.Nanoseconds())
	err = errors.Join(unix.SetNonblock(fd, false),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit))
	return socket(fd), err
}

func (s socket) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(s), b)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (s socket) Write(b []byte) (int, error) {
	n, err := unix.SendmsgN(int(s), b, nil, nil, unix.MSG_NOSIGNAL)
	return n, err
}

// open is false when the server has closed the connection, or there is none: the
// next request goes to a new one, as that of any client that looks.
func (s socket) open() bool {
	if s < 0 {
		return false
	}
	var b [1]byte
	_, _, err := unix.Recvfrom(int(s), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return errors.Is(err, unix.EAGAIN)
}

func (s socket) Close() {
	if s >= 0 {
		_ = unix.Close(int(s)) // by a reset: nothing to be told
	}
}
