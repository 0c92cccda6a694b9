package supervisor

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Suspend waits until no gateway has a call out and each launch is in a state that may last, then holds all gateways
// as they are, and returns their states. From then on nothing is decided, probed or answered, until Continue or the
// end of the program; calls of other methods wait. The error is ctx's, and says what was waited for, or comes at once
// where a canary lasts longer than ctx; everything goes on as before then. One Suspend at a time.
//
// The states are for another image of this program, which goes on with them (Gateway.Resume). Requests that were
// waited for are not in them.
func (s *Supervisor) Suspend(ctx context.Context) (map[string]State, error) {
	for {
		loops := s.all()
		if err := awaitCalm(ctx, loops); err != nil {
			return nil, err
		}
		if states, ok := s.hold(loops); ok {
			return states, nil
		}
	}
}

// Continue lets go on what Suspend has held.
func (s *Supervisor) Continue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		close(s.held)
		s.held = nil
	}
}

// hold stops every loop where it is. False: one is not calm any more, and all go on.
func (s *Supervisor) hold(loops []*loop) (map[string]State, bool) {
	goOn := make(chan struct{})
	states := make(map[string]State, len(loops))
	for _, l := range loops {
		h := askHold{held: make(chan *State, 1), goOn: goOn}
		if !l.post(h) {
			continue // it has ended
		}
		var state *State
		select {
		case state = <-h.held:
		case <-l.done: // it ended with the question in its inbox
			continue
		}
		if state == nil {
			close(goOn)
			return nil, false
		}
		states[l.gateway.Name] = *state
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = goOn
	return states, true
}

// awaitCalm returns when each loop has said that it could be held, or with the first that cannot be.
func awaitCalm(ctx context.Context, loops []*loop) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan error, len(loops))
	for _, l := range loops {
		go func() { answers <- l.awaitCalm(ctx) }()
	}
	for range loops {
		if err := <-answers; err != nil {
			return err
		}
	}
	return nil
}

// awaitCalm returns when the loop says that it could be held. That may be over the next moment.
func (l *loop) awaitCalm(ctx context.Context) error {
	a := &askCalm{answer: make(chan error, 1)}
	a.by, _ = ctx.Deadline()
	if !l.post(a) {
		return nil
	}
	select {
	case err := <-a.answer:
		return err
	case <-l.done:
		return nil
	case <-ctx.Done():
		busy := a.busy.Load()
		if busy == nil {
			busy = "busy whenever the others were not"
		}
		return fmt.Errorf("suspend %s: still %v: %w", l.gateway.Name, busy, context.Cause(ctx))
	}
}

type (
	// askHold holds the loop until goOn is closed, if it is calm; held says so, and how it is.
	askHold struct {
		held chan *State
		goOn chan struct{}
	}
	// askCalm wants to know when the loop could be held, or that it will not be by then.
	askCalm struct {
		by     time.Time // zero: there is time
		answer chan error
		busy   atomic.Value // with what the loop was, when it last looked
	}
)

func (askHold) isInput()  {}
func (*askCalm) isInput() {}

// attend does what is asked of the loop itself. False: the input is the machine's.
func (l *loop) attend(in input) bool {
	switch in := in.(type) {
	case *askCalm:
		l.curious = append(l.curious, in)
	case askHold:
		l.hold(in)
	default:
		return false
	}
	l.tellCalm()
	return true
}

// busy is the machine's, with what the loop itself has still to tell it.
func (l *loop) busy() string {
	if len(l.pending) > 0 {
		return "steering"
	}
	return l.machine.busy()
}

func (l *loop) hold(h askHold) {
	if l.busy() != "" {
		h.held <- nil
		return
	}
	state := l.machine.save(l.out.now())
	h.held <- &state
	<-h.goOn
}

// tellCalm answers those who need not wait any longer. Who has gone away meanwhile does not mind.
func (l *loop) tellCalm() {
	if len(l.curious) == 0 {
		return
	}
	busy, until := l.busy(), l.machine.canaryUntil()
	l.curious = slices.DeleteFunc(l.curious, func(a *askCalm) bool {
		a.busy.Store(busy)
		late := !a.by.IsZero() && until.After(a.by)
		switch {
		case busy == "":
			a.answer <- nil
		case late:
			a.answer <- fmt.Errorf("suspend %s: %s, for another %v: try again then", l.gateway.Name, busy, until.Sub(l.out.now()).Round(time.Second))
		}
		return busy == "" || late
	})
}

// adopt goes on with the launches that an earlier image has made.
func (l *loop) adopt() {
	for _, la := range l.machine.launches {
		if la.lives() {
			l.adoptLaunch(la.n)
		}
	}
}

// adoptLaunch waits for the Exit of a launch. One that cannot be gone on with has ended.
func (l *loop) adoptLaunch(n int) {
	life := l.of(n).life
	exit, err := l.adopter(n)
	go func() {
		if err != nil {
			l.post(exited{n, Exit{Code: -1, Detail: err.Error()}})
			return
		}
		select {
		case e := <-exit:
			l.post(exited{n, e})
		case <-life.Done():
		}
	}()
}

func (l *loop) adopter(n int) (<-chan Exit, error) {
	a, ok := l.gateway.Launcher.(Adopter)
	if !ok {
		return nil, fmt.Errorf("adopt launch %d: its launcher cannot", n)
	}
	return a.Adopt(n)
}
