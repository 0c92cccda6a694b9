package listen

import (
	"fmt"
	"net"
	"net/netip"
	"os"
)

// aim says at which place of the group a connection of ours is to arrive. It is asked
// with the lock held, whenever the program is made.
type aim func() int

// aimed is a connection of ours on its way.
type aimed struct {
	to      aim
	arrived *net.TCPConn // where gatewayd has accepted it itself
}

// Steer gives slot s share percent of the new connections, and the rest to the slot that
// last got 100. 100: all. 0: none any more, which takes a share back.
func (p *Port) Steer(s *Slot, share int) error {
	if p.kind == Shared {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed || s.released:
		return fmt.Errorf("steer %s to slot %d: %w", p.at, s.n, os.ErrClosed)
	case share < 0 || share > 100:
		return fmt.Errorf("steer %s to slot %d: a share of %d %%", p.at, s.n, share)
	case share == 100:
		p.serving, p.share = s.n, 0
	case share > 0:
		p.canary, p.share = s.n, share
	case p.canary == s.n:
		p.share = 0
	}
	if err := p.apply(); err != nil {
		return fmt.Errorf("steer %s to slot %d: %w", p.at, s.n, err)
	}
	p.arrangeRescues()
	return nil
}

// Steered is the number of the slot that new connections go to.
func (p *Port) Steered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.serving
}

// apply tells the kernel what the port has decided.
func (p *Port) apply() error {
	r := rule{serving: p.members[p.serving].place}
	if p.share > 0 {
		r.canary, r.share = p.members[p.canary].place, p.share
	}
	for from, aim := range p.aims {
		r.own = append(r.own, own{from, aim.to()})
	}
	return r.attach(p.members[control].fd)
}

// aim directs a connection from an address that is bound and not connected yet.
func (p *Port) aim(from netip.AddrPort, to aim) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	p.aims[from] = &aimed{to: to}
	return p.apply()
}

// forget makes the source of a connection of ours any client's again. It returns the
// server's side if a rescue has accepted that meanwhile, else nil.
func (p *Port) forget(from netip.AddrPort) (arrived *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.aims[from]; a != nil {
		arrived = a.arrived
	}
	delete(p.aims, from)
	if p.closed {
		return arrived
	}
	if err := p.apply(); err != nil {
		p.o.Log("steering "+p.at.String(), err)
	}
	return arrived
}

// discard is for what is not to be rescued.
func discard(arrived *net.TCPConn) {
	if arrived != nil {
		arrived.Close()
	}
}

// claims keeps what a rescue has accepted as it is when it is a connection of ours: its
// mark has yet to be seen.
func (p *Port) claims(c *net.TCPConn) bool {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false // it is over
	}
	from := remote.AddrPort()
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.aims[netip.AddrPortFrom(from.Addr().Unmap(), from.Port())]
	if a == nil || a.arrived != nil {
		return false
	}
	a.arrived = c
	return true
}

func (p *Port) atPlace(n int) aim { return func() int { return n } }
func (p *Port) atSlot(n int) aim  { return func() int { return p.members[n].place } }
func (p *Port) atServing() aim    { return func() int { return p.members[p.serving].place } }
