package listen

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"time"
)

// reached is a connection of ours and the listener that it reached.
type reached struct {
	net.Conn
	mark     mark
	cookie   uint64              // of the server's side
	deferred bool                // steered, but the kernel shows no mark before the client has sent something
	forget   func() *net.TCPConn // as that of Port
}

// abort resets a connection that is not wanted: whoever accepts it sees that, and a rescue
// knows it for ours until then.
func (r reached) abort() {
	_ = r.Conn.(*net.TCPConn).SetLinger(0)
	r.Close()
	discard(r.forget())
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
	r := reached{conn, server.mark, server.cookie, server.state == stateSynReceived, forget}
	if err != nil {
		r.abort()
		return reached{}, err
	}
	return r, nil
}

// connectFrom tells the source before it connects. The connection is steered until forget
// is called.
func (p *Port) connectFrom(ctx context.Context, to aim, tell func(source netip.AddrPort)) (conn net.Conn, forget func() *net.TCPConn, err error) {
	client, from, err := newClient(p.at.client().Addr())
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	tell(from)
	forget = func() *net.TCPConn { return p.forget(from) }
	if err = p.aim(from, to); err == nil {
		conn, err = handshake(ctx, client, p.at.client())
	}
	if err != nil {
		discard(forget())
		return nil, nil, err
	}
	return conn, forget, nil
}

// DialFrom is Dial for who accepts from the slot in this process, and knows the connection
// by its source, which tell is given before it is made. It is steered until forget is
// called. Of a shared port there is no DialFrom.
func (s *Slot) DialFrom(ctx context.Context, tell func(source netip.AddrPort)) (conn net.Conn, forget func(), err error) {
	conn, arrived, err := s.p.connectFrom(ctx, s.p.atSlot(s.n), tell)
	if err != nil {
		return nil, nil, err
	}
	return conn, func() { discard(arrived()) }, nil
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
