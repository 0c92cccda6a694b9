package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// steering is a connection that Dial makes, on its way to the accepting side.
type steering struct {
	n      int
	ctx    context.Context
	result chan error // of dialling the launch
}

// report tells Dial how it went. Only the first one counts; nil: nobody asks.
func (s *steering) report(err error) {
	if s == nil {
		return
	}
	select {
	case s.result <- err:
	default:
	}
}

// Dial connects through the listener, as a client does, and reaches launch n, never
// another one. It is not parked: where launch n cannot be dialled, that is the error.
//
// The accepting side knows the connection by its source address, which no other socket
// can have at the same time: a port of the address that is dialled, or, for a unix
// socket, a name that the kernel chooses (autobind, unix(7)). It is bound, and noted,
// before the connection is made.
//
// A Proxy that has as many connections as it may accepts nothing: then launch n is
// dialled directly. Its clients would otherwise decide that it does not work.
func (p *Proxy) Dial(ctx context.Context, n int) (net.Conn, error) {
	if p.full() {
		return p.direct(ctx, n)
	}
	s := &steering{n: n, ctx: ctx, result: make(chan error, 1)}
	var source string
	c, forget, err := p.connect(ctx, func(from string) {
		source = from
		p.note(source, s)
	})
	if err != nil {
		p.note(source, nil)
		return nil, err
	}
	defer forget()
	select {
	case err = <-s.result:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		p.note(source, nil) // while the address is still ours
		c.Close()
		return nil, fmt.Errorf("reach launch %d: %w", n, err)
	}
	return c, nil
}

// connect tells the source, and then connects.
func (p *Proxy) connect(ctx context.Context, tell func(source string)) (net.Conn, func(), error) {
	if p.options.Connect != nil {
		return p.options.Connect(ctx, func(from netip.AddrPort) {
			tell(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()).String())
		})
	}
	target := p.target()
	d := net.Dialer{ControlContext: func(_ context.Context, _, _ string, raw syscall.RawConn) error {
		source, err := bindSource(raw, target)
		if err == nil {
			tell(source)
		}
		return err
	}}
	d.SetMultipathTCP(false)
	c, err := d.DialContext(ctx, target.Network(), target.String())
	return c, func() {}, err
}

// direct connects to launch n itself, as the one connection of ours that it is.
func (p *Proxy) direct(ctx context.Context, n int) (net.Conn, error) {
	p.mu.Lock()
	l := p.launches[n]
	p.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("reach launch %d: %w", n, ErrGone)
	}
	c, err := l.dial(ctx)
	if err == nil && l.header {
		if _, err = c.Write(proxyHeader(nil, nil, true)); err != nil {
			c.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reach launch %d: %w", n, err)
	}
	return c, nil
}

// note remembers what is steered by its source address, or forgets it (nil).
func (p *Proxy) note(source string, s *steering) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == nil {
		delete(p.steered, source)
		return
	}
	if p.life == closed {
		s.report(net.ErrClosed)
		return
	}
	p.steered[source] = s
}

// claim returns what was noted of a source address. Call with the lock held.
func (p *Proxy) claim(source net.Addr) *steering {
	if len(p.steered) == 0 {
		return nil
	}
	name := sourceName(source)
	defer delete(p.steered, name)
	return p.steered[name]
}

func sourceName(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()).String()
	}
	return a.String()
}

// target is the address that clients of this machine use.
func (p *Proxy) target() net.Addr {
	at := p.accepts().Addr()
	t, ok := at.(*net.TCPAddr)
	if !ok || !t.IP.IsUnspecified() {
		return at
	}
	loopback := net.IPv6loopback
	if t.IP.To4() != nil {
		loopback = net.IPv4(127, 0, 0, 1)
	}
	return &net.TCPAddr{IP: loopback, Port: t.Port}
}

// bindSource gives a socket its source address, the IP of the target and any port.
func bindSource(raw syscall.RawConn, target net.Addr) (source string, err error) {
	controlErr := raw.Control(func(fd uintptr) { source, err = bindAny(int(fd), target) })
	if controlErr != nil {
		return "", controlErr
	}
	return source, err
}

func bindAny(fd int, target net.Addr) (string, error) {
	var any unix.Sockaddr = &unix.SockaddrUnix{}
	if t, ok := target.(*net.TCPAddr); ok {
		any = anyPort(t)
	}
	if err := unix.Bind(fd, any); err != nil {
		return "", fmt.Errorf("bind source address: %w", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return "", fmt.Errorf("read source address: %w", err)
	}
	switch b := bound.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(b.Addr), uint16(b.Port)).String(), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(b.Addr).Unmap(), uint16(b.Port)).String(), nil
	case *unix.SockaddrUnix:
		return b.Name, nil
	}
	return "", fmt.Errorf("read source address: %T is unknown", bound)
}

func anyPort(t *net.TCPAddr) unix.Sockaddr {
	ip := t.AddrPort().Addr().Unmap()
	if ip.Is4() {
		return &unix.SockaddrInet4{Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Addr: ip.As16(), ZoneId: zone(t.Zone)}
}

// zone is the index of an interface, which a link-local address needs.
func zone(name string) uint32 {
	if i, err := net.InterfaceByName(name); err == nil {
		return uint32(i.Index)
	}
	return 0
}
