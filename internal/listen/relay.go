package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// relay connects a client to whoever serves.
func (p *Port) relay(client *net.TCPConn) {
	if p.claims(client) {
		return
	}
	defer client.Close()
	if p.asked(client) || gone(client) {
		return
	}
	server, err := p.reach()
	if err != nil {
		if p.ctx.Err() == nil {
			p.o.Log("rescuing a connection", err)
		}
		return
	}
	defer server.Close()
	p.rescued.Add(1)
	if p.o.Rescued != nil {
		p.o.Rescued(1)
	}
	p.joined.Add(1)
	defer p.joined.Add(-1)
	join(p.ctx, client, server)
}

// gone says whether the client has given up already, as each proof of the order does. If
// not, its connection counts as one of the slot no more.
func gone(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil || c.RemoteAddr() == nil {
		return true
	}
	var errno error
	err = raw.Control(func(fd uintptr) {
		_ = controlMark.set(int(fd))
		_, _, errno = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK)
	})
	return err != nil || errors.Is(errno, syscall.ECONNRESET)
}

// reach connects to the slot that serves, and to no other one: a relay to a socket that
// gatewayd accepts from would never end.
func (p *Port) reach() (net.Conn, error) {
	if !acquire(p.ctx, p.reaching) {
		return nil, p.ctx.Err()
	}
	defer func() { <-p.reaching }()
	var faults []error
	for range 3 {
		c, err := p.connect(p.ctx, p.atServing())
		if err == nil && (c.deferred || p.serves(c.mark)) {
			if again := c.forget(); again != nil { // that launch has ended, too
				p.relayed.Go(func() { p.relay(again) })
			}
			return c.Conn, nil
		}
		if err == nil {
			c.abort()
			err = fmt.Errorf("%s: the order of the slots has changed", p.at)
		}
		faults = append(faults, err, p.Mend(p.ctx))
	}
	return nil, errors.Join(faults...)
}

// serves says whether a connection with this mark is accepted by a launch, now or later.
func (p *Port) serves(m mark) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int(m) - 1
	return n >= 0 && n < slots && (n == p.serving || p.members[n].held)
}

// buffers are for one direction of a relay.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// join relays between two connections until both directions have ended, one of them is
// broken, or ctx ends.
func join(ctx context.Context, a, b net.Conn) {
	broken := func() { a.Close(); b.Close() }
	defer context.AfterFunc(ctx, broken)()
	var both sync.WaitGroup
	both.Go(func() { pass(a, b, broken) })
	both.Go(func() { pass(b, a, broken) })
	both.Wait()
}

// pass relays one direction. Its end is passed on: the other direction may go on.
func pass(to, from net.Conn, broken func()) {
	buffer := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buffer)
	// ReadFrom and WriteTo are hidden: splice(2) would take two pipes of the user's budget for each relay.
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buffer[:])
	if err == nil {
		err = to.(interface{ CloseWrite() error }).CloseWrite()
	}
	if err != nil {
		broken()
	}
}
