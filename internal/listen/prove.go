package listen

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// proofTime is enough for a connection within the machine. Where a queue is full there is
// no answer at all.
const proofTime = 2 * time.Second

// Mend makes good what a program may have done to the sockets that it has a copy of:
// listens again where it shut one down, and proves the order of the group by connecting to
// each place. It is to be called after the end of a launch and after a failed probe. A
// *TakenError names a stranger who listens, too; all else is mended all the same.
func (p *Port) Mend(ctx context.Context) error {
	p.mending.Lock()
	defer p.mending.Unlock()
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

// listenAgain brings back what has been shut down, with the backlog and the mark that it
// had, and attaches the program again, which any program can detach.
func (p *Port) listenAgain() (shut bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false, fmt.Errorf("mend %s: %w", p.at, os.ErrClosed)
	}
	for _, m := range p.members {
		if !listening(m.fd) {
			shut = true
			p.o.Log("listening again", fmt.Errorf("socket %s of %s was shut down by a program", m.name, p.at))
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

// prove finds the place of each member. It returns the strangers in the group.
func (p *Port) prove(ctx context.Context) (strangers map[uint64]int, err error) {
	for range 2 { // the order may change meanwhile
		strangers = others(p.at, p.inodes(), states(stateListen))
		var found map[mark]int
		found, err = p.survey(ctx, p.places(len(strangers)))
		if len(found) >= slots {
			return strangers, p.settle(found)
		}
		err = first([]error{p.settle(found), err})
	}
	return strangers, err
}

// places are those to be asked. Where the steered slot should be nobody is asked while it
// waits for a launch, which would only find a connection that is over: it is there when
// all others are at the others. With a stranger, who may be no member, the last place may
// be none, and that is any member by its hash, which is known when all others are asked.
func (p *Port) places(strangers int) (places []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	steered := p.members[p.serving]
	for n := range slots + 1 + strangers {
		if n != steered.place || steered.held || strangers > 0 {
			places = append(places, n)
		}
	}
	return places
}

// survey connects to places of the group, and returns which member was where.
func (p *Port) survey(ctx context.Context, places []int) (map[mark]int, error) {
	ctx, stop := context.WithTimeout(ctx, proofTime)
	defer stop()
	marks, faults := make([]mark, len(places)), make([]error, len(places))
	var all sync.WaitGroup
	for i, n := range places {
		all.Go(func() { marks[i], faults[i] = p.ask(ctx, n) })
	}
	all.Wait()
	found := map[mark]int{}
	for i, m := range marks {
		// The first place is the true one: behind the end of the group there is any member by its hash.
		if _, before := found[m]; m != 0 && !before {
			found[m] = places[i]
		}
	}
	return found, first(faults)
}

// first is the first of several errors, which mostly are alike.
func first(faults []error) error {
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

// ask connects to one place.
func (p *Port) ask(ctx context.Context, place int) (mark, error) {
	c, err := p.connect(ctx, p.atPlace(place))
	if err != nil {
		return 0, fmt.Errorf("connect to place %d: %w", place, err)
	}
	c.abort()
	return c.mark, nil
}

// settle takes over the places that were found. A member that was not, as when its queue
// is full, keeps its place unless that belongs to another one, and gets the last one that
// is left; else there is an error. The lock is taken for it.
func (p *Port) settle(found map[mark]int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	free := map[int]bool{}
	for n := range p.members {
		free[n] = true
	}
	for _, n := range found {
		delete(free, n)
	}
	var lost []*member
	for _, m := range p.members {
		if n, ok := found[m.mark]; ok {
			m.place = n
		} else if free[m.place] {
			delete(free, m.place)
		} else {
			lost = append(lost, m)
		}
	}
	if len(lost) > 0 && (len(lost) > 1 || len(free) != 1) {
		return fmt.Errorf("nobody knows where %d of the sockets are", len(lost))
	}
	for n := range free {
		if len(lost) == 1 {
			lost[0].place = n
		}
	}
	if err := p.apply(); err != nil {
		return err
	}
	p.arrangeRescues()
	return nil
}

func (p *Port) inodes() map[uint64]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ours := map[uint64]bool{}
	if p.closed {
		return ours
	}
	for _, m := range p.members {
		ours[inode(m.fd)] = true
	}
	return ours
}
