package control

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// admit is a listener that hands on only the connections of peers that may
// ask, and no more than fit at a time. A stranger's is closed without an answer.
type admit struct {
	net.Listener
	allowed func(uid uint32) bool
	slots   chan struct{}
}

func (a *admit) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peerUID(conn); err != nil || !a.allowed(uid) {
			conn.Close()
			continue
		}
		select {
		case a.slots <- struct{}{}:
			return &admitted{Conn: conn, slots: a.slots}, nil
		default:
			// Better one closed at once than a queue in which an honest
			// client waits behind silent ones.
			conn.Close()
		}
	}
}

// admitted gives its slot back when it is closed, however often that is.
type admitted struct {
	net.Conn
	slots chan struct{}
	gone  atomic.Bool
}

func (c *admitted) Close() error {
	if c.gone.CompareAndSwap(false, true) {
		<-c.slots
	}
	return c.Conn.Close()
}

// ourselvesOrRoot is who may ask.
func ourselvesOrRoot(uid uint32) bool { return uid == 0 || uid == uint32(os.Getuid()) }

func peerUID(conn net.Conn) (uint32, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("ask for peer: not a unix socket: %T", conn)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); e != nil {
		return 0, e
	}
	if err != nil {
		return 0, os.NewSyscallError("getsockopt", err)
	}
	return cred.Uid, nil
}
