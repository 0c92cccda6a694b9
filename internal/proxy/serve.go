package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// ErrGone says that Dial was asked for a launch that is not there.
var ErrGone = errors.New("no such launch")

// dialTime is what each dial gets at least, be Park as short as it may.
const dialTime = time.Second

// serve brings a waiting connection to a launch, or to its end.
func (c *conn) serve() {
	for {
		l, err := c.p.assign(c)
		if err == nil {
			err = c.connect(l)
		}
		if err == nil {
			return
		}
		if c.steered != nil {
			c.drop(err)
			return
		}
		switch c.park() {
		case tryAgain:
		case hasGone:
			c.drop(nil)
			return
		case tooLate:
			c.refuse()
			return
		case stopped:
			return
		}
	}
}

// connect dials l for c, and begins to relay.
func (c *conn) connect(l *launch) error {
	backend, err := c.dial(l)
	if err != nil {
		if tell := c.p.failed(c, l, err); tell != nil {
			tell(fmt.Sprintf("dial launch %d: its connections wait", l.n), err)
		}
		return err
	}
	left := shows(c.client, c.signs)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.answered(l)
	if left {
		backend.Close()
		c.p.forget(c)
		return nil
	}
	c.scouts = nil
	c.steered.report(nil)
	c.backend, c.phase, c.backoff = backend, relaying, 0
	c.begin()
	return nil
}

// dial returns a backend that has its PROXY header, if it wants one, and nothing else yet.
func (c *conn) dial(l *launch) (stream, error) {
	c.p.mu.Lock()
	dial, header := l.dial, l.header
	c.p.mu.Unlock()
	ctx, cancel := c.dialContext(l)
	defer cancel()
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	backend, ok := conn.(stream)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("relay to a %T: it cannot be half-closed", conn)
	}
	if err := c.greet(backend, header); err != nil {
		backend.Close()
		return nil, err
	}
	return backend, nil
}

func (c *conn) dialContext(l *launch) (context.Context, context.CancelFunc) {
	c.p.mu.Lock()
	ctx := l.ctx
	c.p.mu.Unlock()
	deadline := time.Now().Add(dialTime)
	if c.until.After(deadline) {
		deadline = c.until
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	if c.steered == nil {
		return ctx, cancel
	}
	stop := context.AfterFunc(c.steered.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// greet writes the PROXY header. The buffer of a new socket has room for it, so that
// it goes out whole, in one segment, as the specification wants.
func (c *conn) greet(backend net.Conn, header bool) error {
	if !header {
		return nil
	}
	_, err := backend.Write(proxyHeader(c.client.RemoteAddr(), c.client.LocalAddr(), c.steered != nil))
	return err
}

// drop forgets c, and says why to the Dial that made it.
func (c *conn) drop(err error) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.steered.report(err)
	c.p.forget(c)
}
