package proxy

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
)

// way is one direction of a relay. While its goroutine runs, only that one looks at
// it, but for moved.
type way struct {
	pending []byte       // read, not written yet
	moved   atomic.Int64 // bytes written
	end     end
}

// end is how a way has ended.
type end int

const (
	going  end = iota // not at all
	eof               // its source has ended
	noFrom            // its source is broken
	noTo              // its sink is
)

// relay runs the ways that go on. Call with the lock held.
func (c *conn) relay() {
	if c.up.end == going {
		c.ways++
		c.p.spawn(c.runUp)
	}
	if c.down.end == going {
		c.ways++
		c.p.spawn(c.runDown)
	}
}

func (c *conn) runUp() {
	e := c.copy(&c.up, c.client, c.backend)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.up.end = e
	switch {
	case e == eof && c.steered != nil:
		// Who dialled has its answer. A program that is frozen next would keep the
		// rest open for as long as it is.
		c.cut()
	case e == eof:
		endStream(c.backend)
	case e == noFrom:
		c.abort()
	}
	c.wayEnded()
}

func (c *conn) runDown() {
	e := c.copy(&c.down, c.backend, c.client)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.down.end = e
	switch {
	case e == noTo:
		c.abort()
	case e == going:
	case !c.touched() && c.steered == nil:
		c.owed = true
		c.arm()
	default:
		c.endClient()
	}
	c.wayEnded()
}

// copy moves bytes until an end, or until it is told to stop.
func (c *conn) copy(w *way, from, to stream) end {
	if len(w.pending) > 0 {
		if e, stop := c.write(w, to, w.pending); stop {
			return e
		}
	}
	r, err := newReader(from, &c.p.buffers)
	if err != nil {
		return noFrom
	}
	for {
		b, err := r.wait()
		switch {
		case err == nil && len(b) == 0:
			r.release()
			return eof
		case err == nil:
			e, stop := c.write(w, to, b)
			r.release()
			if stop {
				return e
			}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return noFrom
		default:
			if e, stop := c.interrupted(); stop {
				return e
			}
		}
	}
}

// write keeps what it cannot write in w.pending.
func (c *conn) write(w *way, to stream, b []byte) (e end, stop bool) {
	for {
		n, err := to.Write(b)
		w.moved.Add(int64(n))
		b = b[n:]
		if err == nil {
			w.pending = nil
			return going, false
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			e, stop = noTo, true
		} else {
			e, stop = c.interrupted()
		}
		if stop {
			w.pending = append([]byte(nil), b...)
			return e, true
		}
	}
}

// interrupted says what a way does whose deadline has passed.
func (c *conn) interrupted() (e end, stop bool) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	moved := c.up.moved.Load()
	switch {
	case c.p.life != live || c.owed:
		return going, true
	case c.gone, c.half && moved == c.progress:
		return noTo, true
	}
	c.progress = moved
	c.arm()
	return going, false
}

// wayEnded decides what follows when no way runs any more. Call with the lock held.
func (c *conn) wayEnded() {
	if c.ways--; c.ways > 0 {
		return
	}
	if c.owed {
		c.owed = false
		if c.rescue() {
			return
		}
		c.endClient()
	}
	if c.up.end != going && c.down.end != going {
		c.p.forget(c)
		return
	}
	c.arm()
	c.begin()
}

// endClient tells the client that nothing more comes. Call with the lock held.
func (c *conn) endClient() {
	endStream(c.client)
	c.half = true
	c.progress = c.up.moved.Load()
	c.gone = c.gone || c.down.end == noFrom || shows(c.backend, closedBoth)
	c.arm()
}

// abort ends a connection whose client is lost. Call with the lock held.
func (c *conn) abort() {
	if t, ok := c.backend.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // a reset, so that nobody takes it for a good end
	}
	c.cut()
}

// endStream fails only where the peer has gone, as its next read tells as well.
func endStream(s stream) { _ = s.CloseWrite() }
