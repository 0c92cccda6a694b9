package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ErrShared: the launches share one socket, so nobody can tell whose a connection is.
var ErrShared = errors.New("the launches share one socket")

// Slot is the socket of one launch, from Take to Release.
type Slot struct {
	p        *Port
	n        int
	released bool // with p's lock
}

// Take gives a slot to a launch: the steered one if nobody holds it, for what waits there
// waits for the next launch, else one that is free. It waits for one until ctx ends.
// Of a shared port everybody gets the same socket at once.
func (p *Port) Take(ctx context.Context) (*Slot, error) { return p.take(ctx, 0) }

// TakeSpare is Take for a launch that is not to serve yet: the steered slot comes last. It
// is free when the launch that serves has just died.
func (p *Port) TakeSpare(ctx context.Context) (*Slot, error) { return p.take(ctx, 1) }

// take looks from so many slots behind the steered one.
func (p *Port) take(ctx context.Context, behind int) (*Slot, error) {
	for {
		s, freed, err := p.tryTake(behind)
		if s != nil || err != nil {
			return s, err
		}
		select {
		case <-freed:
		case <-p.ctx.Done():
		case <-ctx.Done():
			return nil, fmt.Errorf("take a slot of %s: all %d are held: %w", p.at, slots, ctx.Err())
		}
	}
}

func (p *Port) tryTake(behind int) (*Slot, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, fmt.Errorf("take a slot of %s: %w", p.at, os.ErrClosed)
	}
	if p.kind == Shared {
		return &Slot{p: p}, nil, nil
	}
	for i := range slots {
		if n := (p.serving + behind + i) % slots; !p.members[n].held {
			p.members[n].held = true
			_ = unix.SetNonblock(p.members[n].fd, true) // an earlier program may have turned it off
			p.arrangeRescues()
			return &Slot{p: p, n: n}, nil, nil
		}
	}
	return nil, p.freed, nil
}

// Hold returns slot n, which a launch of an earlier image of this process has: one of
// Options.State.Held, and each only once.
func (p *Port) Hold(n int) (*Slot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kind == Shared {
		return &Slot{p: p}, nil
	}
	if p.closed || n < 0 || n >= slots || !p.members[n].held {
		return nil, fmt.Errorf("hold slot %d of %s: no launch has it", n, p.at)
	}
	return &Slot{p: p, n: n}, nil
}

// Index is the number of the slot, from 0.
func (s *Slot) Index() int { return s.n }

// File returns a copy of the socket for a program to inherit. Whoever starts the program
// closes it; it must not be turned into a net.Listener meanwhile.
func (s *Slot) File() (*os.File, error) { return s.p.file(s.p.members[s.n]) }

// Listener is a copy of the socket for gatewayd itself, to accept from. It has a close of
// its own, which the slot survives.
func (s *Slot) Listener() (net.Listener, error) {
	f, err := s.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

// Dial connects through the address that clients use, and to this slot, whatever is
// steered: an answer comes from a program that holds it, and from no other.
func (s *Slot) Dial(ctx context.Context) (net.Conn, error) {
	if s.p.kind == Shared {
		return s.p.dialShared(ctx)
	}
	if s.isReleased() {
		return nil, fmt.Errorf("connect to slot %d of %s: %w", s.n, s.p.at, os.ErrClosed)
	}
	c, err := s.p.connect(ctx, s.p.atSlot(s.n))
	for again := 0; errors.Is(err, errOver) && again < 2; again++ {
		c, err = s.p.connect(ctx, s.p.atSlot(s.n))
	}
	if err != nil {
		return nil, fmt.Errorf("connect to slot %d of %s: %w", s.n, s.p.at, err)
	}
	if !c.deferred && c.mark != slotMark(s.n) {
		c.abort()
		return nil, fmt.Errorf("connect to slot %d of %s: somebody else got the connection: the order of the slots has changed", s.n, s.p.at)
	}
	asking := s.p.asks(c)
	discard(c.forget())
	return asking, nil
}

// InFlight counts the connections of the slot, accepted or waiting, but for those that its
// program has ended and the kernel has yet to carry out. ErrShared: nobody can tell.
func (s *Slot) InFlight() (int, error) {
	if s.p.kind == Shared {
		return 0, ErrShared
	}
	all, err := endpoints(uint8(s.p.at.family()), s.p.at.on.Port(),
		states(stateEstablished, stateCloseWait, stateFinWait1, stateFinWait2))
	count := 0
	for _, e := range all {
		closed := e.inode == 0 && (e.state == stateFinWait1 || e.state == stateFinWait2)
		if e.mark == slotMark(s.n) && !closed && s.p.at.covers(e.local.Addr()) {
			count++
		}
	}
	return count, err
}

// Release gives the slot back: the processes of its launch are gone. What waits in it, or
// comes yet, is rescued, unless it is the steered one. A second call does nothing.
func (s *Slot) Release() {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.released || p.closed || p.kind == Shared {
		return
	}
	s.released = true
	p.members[s.n].held = false
	if p.share > 0 && p.canary == s.n {
		p.share = 0 // or what is rescued there could come back to it
		if err := p.apply(); err != nil {
			p.o.Log("taking the share of a canary back", err)
		}
	}
	p.arrangeRescues()
	close(p.freed)
	p.freed = make(chan struct{})
}

func (s *Slot) isReleased() bool {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	return s.released || s.p.closed
}
