package supervisor

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
)

// loop turns one machine: one goroutine, one timer. It never waits for anything but its next input, so it answers
// whatever a Launcher or Prober does.
type loop struct {
	gateway Gateway
	machine *machine
	out     outlet

	inbox    chan input
	hurried  chan struct{} // capacity 1: Hurry must not wait even for a loop whose observer hangs
	done     chan struct{} // closed when the machine wants nothing any more
	timer    *time.Timer
	set      time.Time // what timer is set to; zero: nothing
	calls    map[int]*calls
	head     headStart
	pending  []input    // of the loop itself, before all others
	curious  []*askCalm // answered when nothing is on its way
	snapshot atomic.Pointer[snapshot]
}

// outlet is where a loop tells what happens.
type outlet struct {
	observe func(Event)
	changed func()
	release func(*loop) // its name is free
	ended   func(*loop)
	now     func() time.Time
}

// calls holds the contexts of one launch's calls.
type calls struct {
	life context.Context // until the launch is forgotten
	end  context.CancelFunc
	ctx  context.Context // until their answers no longer matter; below life
	stop context.CancelFunc
}

func newLoop(g Gateway, out outlet) *loop {
	l := &loop{
		gateway: g, out: out,
		machine: newMachine(out.now(), g, rand.Float64),
		inbox:   make(chan input, 16),
		hurried: make(chan struct{}, 1),
		done:    make(chan struct{}),
		calls:   make(map[int]*calls),
	}
	l.snapshot.Store(l.machine.snapshot())
	return l
}

// run turns the machine until it is finished.
func (l *loop) run() {
	defer l.out.ended(l)
	defer close(l.done)
	l.timer = time.NewTimer(time.Hour)
	l.timer.Stop()
	defer l.timer.Stop()
	if l.turn(l.first()) {
		return
	}
	for !l.turn(l.receive()) {
	}
}

// first is what the loop begins with.
func (l *loop) first() input {
	switch {
	case l.gateway.Resume != nil:
		l.adopt()
		return tick{}
	case l.gateway.Stopped, l.gateway.Held != nil:
		return tick{}
	}
	return askStart{}
}

// receive waits for the next input. Requests come before a Hurry: that is meant for the stop asked just before.
func (l *loop) receive() input {
	if len(l.pending) > 0 {
		in := l.pending[0]
		l.pending = l.pending[1:]
		return in
	}
	select {
	case in := <-l.inbox:
		return in
	default:
	}
	select {
	case in := <-l.inbox:
		return in
	case <-l.hurried:
		return hurry{}
	case <-l.timer.C:
		l.set = time.Time{}
		return tick{}
	}
}

// turn makes one step and carries it out: calls first, since a restart waits for them and nobody waits for the
// words about it. True: the machine is finished.
func (l *loop) turn(in input) bool {
	if l.attend(in) {
		return false
	}
	actions := l.machine.step(l.out.now(), in)
	for _, a := range actions {
		l.steer(a)
	}
	l.favour(actions)
	for _, a := range actions {
		l.call(a)
	}
	if len(actions) > 0 {
		runtime.Gosched() // else a call begins when the words about it are written, where no processor is idle
	}
	l.publish(actions)
	finished := false
	for _, a := range actions {
		finished = l.tell(a) || finished
	}
	if finished {
		l.abandon()
		return true
	}
	l.reset(l.machine.nextDeadline())
	l.tellCalm()
	return false
}

// steer carries out a change of the traffic at once, in the order of the decisions: a launch that takes over is
// waited for by every new client.
func (l *loop) steer(a action) {
	s, is := a.(steer)
	if !is {
		return
	}
	if err := l.gateway.Traffic.Switch(s.n, s.share); err != nil {
		l.pending = append(l.pending, steerFailed{s.n, s.share, err})
	}
}

// publish shows the new state before anybody is answered, so that who was answered sees it.
func (l *loop) publish(actions []action) {
	now := l.machine.snapshot()
	old := l.snapshot.Swap(now)
	if isNews(actions) || old.differs(now) {
		l.out.changed()
	}
}

// isNews says whether there is an event among actions.
func isNews(actions []action) bool {
	for _, a := range actions {
		if _, is := a.(emit); is {
			return true
		}
	}
	return false
}

// tell carries out what is not a call. True: the machine is finished.
func (l *loop) tell(a action) bool {
	switch a := a.(type) {
	case emit:
		l.head.hear(a.event)
		l.out.observe(a.event)
	case answer:
		a.who.answer <- a.err
	case release:
		l.out.release(l)
	case finish:
		return true
	}
	return false
}

func (l *loop) reset(deadline time.Time) {
	switch {
	case deadline.Equal(l.set):
	case deadline.IsZero():
		l.timer.Stop()
	default:
		l.timer.Reset(deadline.Sub(l.out.now()))
	}
	l.set = deadline
}

// abandon lets go of every goroutine that waits for an Exit or a context.
func (l *loop) abandon() {
	for _, c := range l.calls {
		c.end()
	}
}

// post hands an input to the loop. False: the loop is finished.
func (l *loop) post(in input) bool {
	select {
	case l.inbox <- in:
		return true
	case <-l.done:
		return false
	}
}
