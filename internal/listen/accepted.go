package listen

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"time"
)

// Accepted waits until the program has accepted a connection that Dial has made. Without
// this a connection proves nothing: the kernel makes it for a program that accepts none.
// It is nil, too, where the kernel does not tell: on a unix socket, and with
// TCP_DEFER_ACCEPT before data comes.
func (s *Slot) Accepted(ctx context.Context, c net.Conn) error {
	local, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	server, client := unmapped(local), unmapped(c.LocalAddr().(*net.TCPAddr))
	for wait := 50 * time.Microsecond; ; wait = min(2*wait, 10*time.Millisecond) {
		e, err := find(server, client)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (e.inode != 0 || e.state != stateEstablished) {
			return nil // somebody has it, or had it
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func unmapped(a *net.TCPAddr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
