package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// newClient makes a socket with an address and a port of its own.
func newClient(ip netip.Addr) (client *os.File, from netip.AddrPort, err error) {
	source := address{on: netip.AddrPortFrom(ip, 0)}
	sa, err := sockaddr(source.on)
	if err != nil {
		return nil, from, err
	}
	fd, err := unix.Socket(source.family(), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0) // protocol 0: never MPTCP
	if err != nil {
		return nil, from, os.NewSyscallError("socket", err)
	}
	client = os.NewFile(uintptr(fd), "client")
	if err := unix.Bind(fd, sa); err != nil {
		client.Close()
		return nil, from, os.NewSyscallError("bind", err)
	}
	bound, err := boundTo(fd)
	if err != nil {
		client.Close()
		return nil, from, err
	}
	return client, bound.on, nil
}

// handshake connects within this machine. Who is rescued waits for it, and net.Dial would
// leave it to Go's poller, which is not asked while the processors have other work, as they
// have after a crash. But the kernel is done with the handshake when connect(2) returns,
// unless the queue is full.
func handshake(ctx context.Context, client *os.File, server netip.AddrPort) (net.Conn, error) {
	sa, err := sockaddr(server)
	if err != nil {
		return nil, err
	}
	raw, err := client.SyscallConn()
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = client.SetWriteDeadline(time.Unix(0, 1)) })()
	begun, fault := false, error(nil)
	err = raw.Write(func(fd uintptr) (over bool) {
		if !begun {
			begun = true
			if fault = unix.Connect(int(fd), sa); !errors.Is(fault, unix.EINPROGRESS) {
				return true
			}
		}
		over, fault = connected(int(fd))
		return over
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = context.Cause(ctx)
	}
	if err = errors.Join(err, fault); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", server, err)
	}
	return net.FileConn(client)
}

// connected says whether a handshake is over, and what has come of it.
func connected(fd int) (over bool, err error) {
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
	if n <= 0 {
		return false, nil // Go's poller tells
	}
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	return true, err
}
