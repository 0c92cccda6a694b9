package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Supervisor keeps any number of gateways alive, each by a loop of its own. Its methods may be called from any
// goroutine.
type Supervisor struct {
	observe func(Event)
	changed chan struct{}
	now     func() time.Time // time.Now, but for tests of a clock that is set

	mu      sync.Mutex // held for a moment only, never while anything is waited for
	loops   map[string]*loop
	leaving map[*loop]bool // removed, and kept for what Clean has not removed yet
	closed  bool
	held    chan struct{} // closed by Continue; nil: no loop is held
}

// New returns a Supervisor without gateways. observe may be nil. It is called from the gateways' loops, one call
// at a time for each gateway, and must not block: a loop that waits for it keeps its gateway waiting.
func New(observe func(Event)) *Supervisor {
	if observe == nil {
		observe = func(Event) {}
	}
	return &Supervisor{
		observe: observe,
		changed: make(chan struct{}, 1),
		now:     time.Now,
		loops:   make(map[string]*loop),
		leaving: make(map[*loop]bool),
	}
}

// Add takes a gateway and begins its first launch unless g.Stopped. It does not wait for it. The error is about g,
// or ErrShutdown.
func (s *Supervisor) Add(g Gateway) error {
	if err := g.check(); err != nil {
		return fmt.Errorf("add gateway %q: %w", g.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("add gateway %q: %w", g.Name, ErrShutdown)
	case s.loops[g.Name] != nil:
		return fmt.Errorf("add gateway %q: there is one of this name", g.Name)
	}
	l := newLoop(g, outlet{s.observe, s.noteChange, s.release, s.ended, s.now})
	s.loops[g.Name] = l
	go l.run()
	s.noteChange()
	return nil
}

// Start makes a gateway run and returns when it is ready; at once when it is. It takes back a Stop, ends a backoff or a
// hold, and gives a failed gateway another try. The error is the cause of the first launch that failed, ErrSuperseded
// when a Stop or Remove came after, ErrUnknownGateway, or ctx's; what was asked for goes on all the same.
func (s *Supervisor) Start(ctx context.Context, name string) error {
	return s.ask(ctx, "start", name, func(w *waiter) input { return askStart{w} })
}

// Restart is Start with a new launch: all others are stopped first, a standby, too. That is no failure, and no backoff
// follows.
func (s *Supervisor) Restart(ctx context.Context, name string) error {
	return s.ask(ctx, "restart", name, func(w *waiter) input { return askRestart{w} })
}

// Stop ends a gateway and returns when it is stopped and cleaned; it stays so until Start. A second Stop while the
// first is at work kills at once. The error tells what Clean could not remove (it is tried again from time to time;
// the gateway is stopped all the same), or is ErrSuperseded, ErrUnknownGateway, or ctx's, with what is waited for.
func (s *Supervisor) Stop(ctx context.Context, name string) error {
	return s.ask(ctx, "stop", name, func(w *waiter) input { return askStop{w} })
}

// Remove stops a gateway, cleans and forgets it. Its name is free when Remove returns, unless ctx ended: then
// removal goes on and the name is free later. Errors are those of Stop. It does not count as a second Stop.
func (s *Supervisor) Remove(ctx context.Context, name string) error {
	return s.ask(ctx, "remove", name, func(w *waiter) input { return askLeave{who: w} })
}

// Deploy gives a gateway a new revision and policy, as the chapter Deploys of the package tells, and returns when
// d.Until has come. A gateway in backoff, held, failed or ended is launched at once; a stopped one takes the revision for its
// next start if Until is Taken, else the error is ErrStopped.
//
// The cause of a launch that did not become ready: nothing has changed. An error that wraps ErrRolledBack and the
// cause: the revision before is back, or coming. ErrSuperseded: something else was asked for; a revision that was to come
// up beside the one before is gone, one that took its place stays. Where nothing could be rolled back, Proved answers
// the cause when the gateway has failed or ended after the switch. In doubt Status.Revision tells. When ctx ends the
// deploy goes on.
func (s *Supervisor) Deploy(ctx context.Context, name string, d Deployment) error {
	l, err := s.find(name)
	if err == nil {
		err = l.gateway.checkPolicy(d.Policy)
	}
	if err != nil {
		return fmt.Errorf("deploy %s: %w", name, err)
	}
	return s.ask(ctx, "deploy", name, func(w *waiter) input { return askDeploy{w, d} })
}

// Status returns a snapshot of every gateway, sorted by name. It waits for nobody.
func (s *Supervisor) Status() []Status {
	now := s.now()
	loops := s.all()
	list := make([]Status, 0, len(loops))
	for _, l := range loops {
		list = append(list, l.snapshot.Load().at(now))
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Changed tells that something launches of a gateway are made from is another one now: its source, a secret; what is for
// the event. A gateway that is held for an earlier launch is launched at once. Nothing else follows; a gateway that is
// not there has nothing to be told.
func (s *Supervisor) Changed(name, what string) {
	if l, err := s.find(name); err == nil {
		l.post(changed{what})
	}
}

// Changes receives a value after some status changed since the last receive. One reader.
func (s *Supervisor) Changes() <-chan struct{} { return s.changed }

// Answers makes a round trip through every gateway's loop: nil means that all of them turn. The error names one
// that did not answer before ctx ended.
func (s *Supervisor) Answers(ctx context.Context) error {
	for _, l := range s.all() {
		err := l.ask(ctx, func(w *waiter) input { return askPing{w} })
		if err != nil && !errors.Is(err, ErrUnknownGateway) {
			return fmt.Errorf("ask %s for an answer: %w", l.gateway.Name, err)
		}
	}
	return nil
}

// Hurry kills every gateway that is stopping, at once. It returns before they are gone.
func (s *Supervisor) Hurry() {
	for _, l := range s.everyLoop() {
		select {
		case l.hurried <- struct{}{}:
		default: // one is on its way to the loop already
		}
	}
}

// Shutdown stops every gateway and returns when all are cleaned, with what Clean could not remove, joined. No
// goroutine of the Supervisor is left then but those of Launcher and Prober calls that ignore their context.
// When ctx ends first the error says what each gateway waits for, and stopping goes on; Shutdown may be called
// again. No gateway can be added any more; Status goes on to tell the last word of each.
func (s *Supervisor) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	loops := s.everyLoop()
	errs := make(chan error, len(loops))
	for _, l := range loops {
		go func() { errs <- l.shutdown(ctx) }()
	}
	var all []error
	for range loops {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// ask passes a request to a gateway's loop and waits for the answer.
func (s *Supervisor) ask(ctx context.Context, verb, name string, request func(*waiter) input) error {
	l, err := s.find(name)
	if err == nil {
		err = l.ask(ctx, request)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, name, err)
	}
	return nil
}

func (s *Supervisor) find(name string) (*loop, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.loops[name]; l != nil {
		return l, nil
	}
	return nil, ErrUnknownGateway
}

// all returns the loops of all gateways that have a name.
func (s *Supervisor) all() []*loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	loops := make([]*loop, 0, len(s.loops))
	for _, l := range s.loops {
		loops = append(loops, l)
	}
	return loops
}

// everyLoop returns also those that were removed and still clean.
func (s *Supervisor) everyLoop() []*loop {
	loops := s.all()
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.leaving {
		loops = append(loops, l)
	}
	return loops
}

// release frees a name; its loop stays for as long as something is left.
func (s *Supervisor) release(l *loop) {
	s.mu.Lock()
	delete(s.loops, l.gateway.Name)
	s.leaving[l] = true
	s.mu.Unlock()
	s.noteChange()
}

// ended lets go of a loop that nothing holds any more. One that was shut down keeps its name for Status.
func (s *Supervisor) ended(l *loop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.leaving, l)
}

func (s *Supervisor) noteChange() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
