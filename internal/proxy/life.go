package proxy

import (
	"context"
	"net"
	"time"
)

// life is where a Proxy stands.
type life int

const (
	live life = iota
	suspended
	closed
)

// Close stops accepting, cuts what is in flight, and returns when nothing runs any
// more. A second call does nothing.
func (p *Proxy) Close() error {
	p.mu.Lock()
	if p.life == closed {
		p.mu.Unlock()
		return nil
	}
	p.halt(closed)
	for c := range p.conns {
		c.cut()
	}
	for _, s := range p.steered {
		s.report(net.ErrClosed)
	}
	calm, l := p.whenCalm(), p.listener
	p.mu.Unlock()
	err := l.Close()
	<-calm
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns { // those that had no goroutine
		p.forget(c)
	}
	return err
}

// Hold stops accepting, or begins again: who comes meanwhile waits in the kernel, for
// whoever has the listener as well. What was accepted goes on.
func (p *Proxy) Hold(held bool) {
	p.mu.Lock()
	was, accepting := p.held, p.accepting
	p.held = held
	p.heed()
	if was && !held && p.life == live {
		p.beginAccepting()
	}
	p.mu.Unlock()
	if !held {
		return
	}
	select {
	case p.room <- struct{}{}: // accept may wait for room, or for the end of this
	default:
	}
	<-accepting // a connection that comes before it has noticed would still be taken
}

// Settle waits until each connection has had an answer, or has gone: so long a program
// may not have accepted it, and when it closes its listener the kernel resets those. It
// is for after Hold, before the programs are asked to end; ctx bounds it.
func (p *Proxy) Settle(ctx context.Context) {
	look := time.NewTicker(time.Millisecond) // for the end only: the relays need not tell of each first byte
	defer look.Stop()
	for p.unanswered() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// unanswered says whether a connection has had no byte from a program yet.
func (p *Proxy) unanswered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.dialling() || c.phase == relaying && c.down.moved.Load() == 0 {
			return true
		}
	}
	return false
}

// heed has the listener accept or not. Call with the lock held.
func (p *Proxy) heed() {
	var until time.Time
	if p.held || p.life != live {
		until = past
	}
	_ = p.listener.SetDeadline(until) // one that is closed accepts nothing: accept finds out
}

// spawn runs f, and leaves when it returns. Call with the lock held.
func (p *Proxy) spawn(f func()) {
	p.goroutines++
	go func() {
		defer p.leave()
		f()
	}()
}

func (p *Proxy) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goroutines--
	if p.goroutines == 0 && p.calm != nil {
		close(p.calm)
		p.calm = nil
	}
}

// whenCalm returns a channel that is closed when no goroutine runs. Call with the lock held.
func (p *Proxy) whenCalm() <-chan struct{} {
	if p.calm == nil {
		p.calm = make(chan struct{})
	}
	calm := p.calm
	if p.goroutines == 0 {
		close(p.calm)
		p.calm = nil
	}
	return calm
}

// start sets everything going that there is. Call with the lock held.
func (p *Proxy) start() {
	p.life = live
	p.stop = make(chan struct{})
	p.heed()
	for _, l := range p.launches {
		l.renew()
	}
	for c := range p.conns {
		c.arm()
		c.begin()
	}
	p.beginAccepting()
}

// beginAccepting does nothing while held. Call with the lock held.
func (p *Proxy) beginAccepting() {
	accepting := make(chan struct{})
	p.accepting = accepting
	if p.held {
		close(accepting)
		return
	}
	p.spawn(func() { defer close(accepting); p.accept() })
}

// halt makes everything stop where it is. Call with the lock held.
func (p *Proxy) halt(to life) {
	if p.life == live {
		close(p.stop)
	}
	p.life = to
	p.heed()
	for _, l := range p.launches {
		l.cancel()
	}
	for c := range p.conns {
		c.arm()
	}
}
