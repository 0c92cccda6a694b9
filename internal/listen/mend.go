package listen

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Mend makes good what a program may have done to the sockets that it has a copy of:
// listens again where it shut one down, and proves the order of the group by connecting to
// each place. It is to be called after the end of a launch and after a failed probe. A
// *TakenError names a stranger who listens, too; all else is mended all the same.
func (p *Port) Mend(ctx context.Context) error {
	p.mending.Lock()
	defer p.mending.Unlock()
	if p.anew.Swap(false) {
		return fmt.Errorf("%s: what an earlier image had is of no use: %w", p.at, ErrRenewed)
	}
	if p.kind == Shared {
		return p.mendShared()
	}
	return p.establish(ctx)
}

// Check is for now and then: it asks only the sockets that nobody holds, so that no program
// is bothered, and calls Mend when one of them is not where it should be, or a stranger
// listens. A program that is attached no more, and a slot that does not listen, it mends.
func (p *Port) Check(ctx context.Context) error {
	if p.kind == Shared {
		return p.Mend(ctx)
	}
	p.mending.Lock()
	good, err := p.seemsWell(ctx)
	p.mending.Unlock()
	if good || err != nil {
		return err
	}
	return p.Mend(ctx)
}

func (p *Port) seemsWell(ctx context.Context) (bool, error) {
	shut, err := p.listenAgain()
	if err != nil || shut {
		return false, err
	}
	if len(others(p.at, p.inodes(), states(stateListen))) > 0 {
		return false, nil
	}
	expected := p.idle()
	found, _ := p.survey(ctx, slices.Collect(maps.Values(expected)))
	return maps.Equal(found, expected), nil
}

// idle are the places of those sockets that gatewayd accepts from itself.
func (p *Port) idle() map[mark]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	places := map[mark]int{}
	for n, m := range p.members {
		if !m.held && n != p.serving {
			places[m.mark] = m.place
		}
	}
	return places
}

func (p *Port) establish(ctx context.Context) error {
	if _, err := p.listenAgain(); err != nil {
		return err
	}
	strangers, err := p.prove(ctx)
	if err != nil {
		return fmt.Errorf("prove the order of %s: %w", p.at, err)
	}
	if len(strangers) > 0 {
		return &TakenError{Address: p.at.String(), Holders: holders(strangers)}
	}
	return nil
}

// SetBacklog bounds from now on how many connections wait; 0: 4096.
func (p *Port) SetBacklog(n int) error {
	if n <= 0 {
		n = defaultBacklog
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.lent != "" || n == p.o.Backlog {
		return nil
	}
	p.o.Backlog = n
	for _, m := range p.members {
		if !listening(m.fd) {
			continue // that is for Mend, which listens with it
		}
		if err := unix.Listen(m.fd, n); err != nil { // of a socket that listens it changes the limit alone
			return fmt.Errorf("change the backlog of %s: %w", p.at, err)
		}
	}
	return nil
}

// listenAgain brings back what has been shut down, with the backlog and the mark that it
// had, and attaches the program again, which any program can detach. To a store that
// watches what it keeps, a socket that is shut down has hung up and is dropped: it is
// stored again.
func (p *Port) listenAgain() (shut bool, err error) {
	if shut, err = p.prepareAll(); shut {
		p.keep()
	}
	return shut, err
}

func (p *Port) prepareAll() (shut bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false, fmt.Errorf("mend %s: %w", p.at, os.ErrClosed)
	}
	for _, m := range p.members {
		if !listening(m.fd) {
			shut = true
			if !p.shut { // who does it once does it at each end
				p.o.Log("listening again", fmt.Errorf("socket %s of %s was shut down by a program", m.name, p.at))
			}
			p.shut = true
		}
		if err := m.prepare(p.o.Backlog); err != nil {
			return shut, fmt.Errorf("mend %s: %w", p.at, err)
		}
	}
	if err := p.apply(); err != nil {
		return shut, fmt.Errorf("mend %s: %w", p.at, err)
	}
	return shut, nil
}
