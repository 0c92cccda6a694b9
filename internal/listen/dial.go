package listen

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reached is a connection of ours and the listener that it reached.
type reached struct {
	net.Conn
	mark     mark
	deferred bool   // steered, but the kernel shows no mark before the client has sent something
	forget   func() // its source is any client's again
}

// abort resets a connection that is not wanted: whoever accepts it sees that, and a rescue
// knows it for ours until then.
func (r reached) abort() {
	_ = r.Conn.(*net.TCPConn).SetLinger(0)
	r.Close()
	r.forget()
}

// connect goes through the address that clients use and is steered by its source, which is
// bound before it connects. The mark of the server's side proves where it arrived.
func (p *Port) connect(ctx context.Context, to aim) (reached, error) {
	var from netip.AddrPort
	conn, forget, err := p.connectFrom(ctx, to, func(source netip.AddrPort) { from = source })
	if err != nil {
		return reached{}, err
	}
	server, err := proof(ctx, p.at.client(), from)
	r := reached{conn, server.mark, server.state == stateSynReceived, forget}
	if err != nil {
		r.abort()
		return reached{}, err
	}
	return r, nil
}

// connectFrom tells the source before it connects. The connection is steered until forget
// is called.
func (p *Port) connectFrom(ctx context.Context, to aim, tell func(source netip.AddrPort)) (conn net.Conn, forget func(), err error) {
	var from netip.AddrPort
	forget = func() { p.forget(from) }
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if from.IsValid() {
			forget() // Go tries once more where a socket has connected to itself
		}
		if from, err = bindSource(c, p.at.client().Addr()); err != nil {
			return err
		}
		tell(from)
		return p.aim(from, to)
	}}
	dialer.SetMultipathTCP(false)
	if conn, err = dialer.DialContext(ctx, "tcp", p.at.dial()); err != nil {
		forget()
		return nil, nil, err
	}
	return conn, forget, nil
}

// DialFrom is Dial for who accepts from the slot in this process, and knows the connection
// by its source, which tell is given before it is made. It is steered until forget is
// called. Of a shared port there is no DialFrom.
func (s *Slot) DialFrom(ctx context.Context, tell func(source netip.AddrPort)) (conn net.Conn, forget func(), err error) {
	return s.p.connectFrom(ctx, s.p.atSlot(s.n), tell)
}

// bindSource gives a socket an address and a port of its own.
func bindSource(c syscall.RawConn, ip netip.Addr) (from netip.AddrPort, err error) {
	sa, err := sockaddr(netip.AddrPortFrom(ip, 0))
	if err != nil {
		return from, err
	}
	controlErr := c.Control(func(fd uintptr) {
		if err = unix.Bind(int(fd), sa); err == nil {
			var bound address
			bound, err = boundTo(int(fd))
			from = bound.on
		}
	})
	return from, errors.Join(controlErr, err)
}

var errOver = errors.New("the connection was over before it could be told who had it")

// proof finds the server's side of a connection of ours. The handshake is over for the
// client a moment before it is for the server, and with TCP_DEFER_ACCEPT on the listener,
// which nginx and haproxy know, not before data comes: steered it is all the same.
func proof(ctx context.Context, local, remote netip.AddrPort) (endpoint, error) {
	var waited time.Duration
	for wait := 50 * time.Microsecond; ; wait *= 2 {
		server, err := find(local, remote)
		switch {
		case err == nil && server.inode == 0 && (server.state == stateFinWait2 || server.state == stateTimeWait):
			return server, errOver // no socket any more, and no mark
		case err == nil && (server.state != stateSynReceived || waited > 5*time.Millisecond):
			return server, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return server, err
		case waited > time.Second: // longer than any handshake within the machine
			return server, errOver
		}
		waited += wait
		select {
		case <-ctx.Done():
			return endpoint{}, ctx.Err()
		case <-time.After(wait):
		}
	}
}
