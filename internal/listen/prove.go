package listen

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// proofTime is enough for a connection within the machine. Where a queue is full there is
// no answer at all.
const proofTime = 2 * time.Second

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
