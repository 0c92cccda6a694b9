package proxy

import (
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// accept takes connections as long as the Proxy is live.
func (p *Proxy) accept() {
	var delay time.Duration
	for p.awaitRoom() {
		l := p.accepts()
		c, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			p.add(c.(stream))
		case errors.Is(err, unix.ECONNABORTED):
		case p.stopped() || errors.Is(err, net.ErrClosed) && l == p.accepts():
			return
		case errors.Is(err, net.ErrClosed): // Relisten has another one
		default:
			// EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection waits in the kernel's queue.
			if delay == 0 {
				p.options.Log("accept connection", err)
			}
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			p.pause(delay)
		}
	}
}

func (p *Proxy) accepts() listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listener
}

// Relisten accepts from l, which belongs to the Proxy from now on, and no more from the
// listener before. What was accepted goes on.
func (p *Proxy) Relisten(l net.Listener) {
	p.mu.Lock()
	before := p.listener
	p.listener = l.(listener)
	p.heed()
	if p.life == closed {
		before = p.listener
	}
	p.mu.Unlock()
	_ = before.Close() // nobody comes by it any more
}

// add takes c in, and serves it unless the Proxy has stopped since it was accepted.
func (p *Proxy) add(client stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted++
	c := &conn{p: p, client: client, until: time.Now().Add(p.park)}
	c.steered = p.claim(client.RemoteAddr())
	p.conns[c] = struct{}{}
	c.begin()
}

// awaitRoom waits until one more connection may be had. It says false when the Proxy stops.
func (p *Proxy) awaitRoom() bool {
	for {
		p.mu.Lock()
		full, stop, goesOn := len(p.conns) >= p.options.Max, p.stop, p.life == live && !p.held
		p.mu.Unlock()
		if !goesOn || !full {
			return goesOn
		}
		if now := time.Now(); now.Sub(p.toldFull) >= time.Minute {
			p.toldFull = now
			p.options.Log(fmt.Sprintf("accept connection: all %d that may be are there; the next ones wait in the kernel's queue (LimitNOFILE= decides how many may be)", p.options.Max), nil)
		}
		select {
		case <-p.room:
		case <-stop:
		}
	}
}

// full says whether nothing is accepted until a connection ends.
func (p *Proxy) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) >= p.options.Max
}

func (p *Proxy) stopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life != live || p.held
}

// pause waits for a while, or for an end that frees a descriptor.
func (p *Proxy) pause(d time.Duration) {
	p.mu.Lock()
	stop := p.stop
	p.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.room:
	case <-stop:
	}
}

// defaultMax leaves room for the two descriptors of each connection, for their copies
// in Suspend, and for the rest of the process.
func defaultMax() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 200
	}
	return int(min(r.Cur, 1<<20)) / 5
}
