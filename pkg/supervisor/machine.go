package supervisor

import "time"

// machine decides for one gateway. It is pure: it does no I/O, reads no clock, starts nothing, and random comes
// from outside. Its loop feeds it inputs and carries out its actions.
type machine struct {
	name     string
	revision string
	policy   Policy
	random   func() float64 // in [0, 1)
	steers   bool           // there is a Traffic

	goal     goal
	phase    Phase
	since    time.Time
	deadline time.Time // when the phase ends by itself; zero: never

	launches  []*launch // every number that is not forgotten, in order; those without a role are on their way out
	current   *launch   // the one that serves, is to serve, or ends so that another can; nil: none, or only to be cleaned
	standby   *launch   // waits to take over, or is on its way there
	candidate *launch   // of the deploy under way, until it serves
	last      int       // number of the last current launch; 0: none yet
	next      int       // number of the next launch

	steering steering
	standing standing
	doing    *deploying // the deploy under way; nil: none
	trial    *trial     // what may be rolled back to; nil: nothing
	proving  bool       // the good probes after the switch are still to come

	lastDrained  DrainedStatus
	rolledBack   error
	rolledBackAt time.Time

	history  history
	restarts int
	cause    error // of the last launch that ended, or of being failed
	causeAt  time.Time
	settled  bool
	settleBy time.Time // when it is settled in any case; zero: not known yet

	waiting  []waiting
	released bool
	out      []action
}

// goal is what was asked for last.
type goal int

const (
	toRun   goal = iota
	toStop       // until Start
	toLeave      // stop, clean, be forgotten
	toQuit       // the same, but what Clean could not remove keeps nobody
)

// newMachine returns a machine that waits for its first askStart, or goes on where an earlier one was.
func newMachine(now time.Time, g Gateway, random func() float64) *machine {
	if g.Resume != nil {
		return resumed(now, g, random)
	}
	m := &machine{
		name: g.Name, revision: g.Revision, policy: g.Policy.withDefaults(), random: random, steers: g.Traffic != nil,
		goal: toStop, next: max(g.NextLaunch, 1), settled: g.Stopped,
	}
	if t := g.Trial; t != nil {
		m.trial = &trial{previous: t.Previous, policy: t.Policy.withDefaults(), tested: true, until: t.Until}
	}
	phase := Starting
	if g.Stopped {
		phase = Stopped
	}
	m.enter(now, phase, time.Time{})
	if g.Held != nil && !g.Stopped {
		m.beginHeld(g.Held)
	}
	return m
}

// step is the whole policy. Deadlines that are due come before the input: a call that ran into its deadline and
// the deadline itself are then seen in the same order every time.
func (m *machine) step(now time.Time, in input) []action {
	m.out = nil
	m.expire(now)
	m.take(now, in)
	m.tend(now)
	return m.out
}

func (m *machine) take(now time.Time, in input) {
	switch in := in.(type) {
	case askStart:
		m.start(now, in.who)
	case askRestart:
		m.restart(now, in.who)
	case askStop:
		m.stop(now, in.who)
	case askLeave:
		m.leave(now, in)
	case askDeploy:
		m.deploy(now, in)
	case askPing:
		m.answer(in.who, nil)
	case changed:
		m.changed(now, in.what)
	case hurry:
		m.hurry(now)
	case withdraw:
		m.withdraw(in.who)
	case steerFailed:
		m.steerFailed(now, in)
	case reply:
		m.takeReply(now, in)
	}
}

// takeReply passes a reply to the launch it belongs to. One that belongs to none is late and can do no harm.
func (m *machine) takeReply(now time.Time, in reply) {
	for _, l := range m.launches {
		if l.n == in.launch() {
			m.hear(now, l, in)
			return
		}
	}
}

func (m *machine) hear(now time.Time, l *launch, in reply) {
	switch in := in.(type) {
	case prepared:
		m.prepared(now, l, in.err)
	case started:
		m.started(now, l, in.err)
	case probed:
		m.probed(now, l, in.err)
	case signalled:
		m.signalled(now, l, in.err)
	case killed:
		m.killed(l, in.err)
	case cleaned:
		m.cleaned(now, l, in.err)
	case exited:
		m.exited(now, l, in.exit)
	case froze:
		m.froze(now, l, in)
	case counted:
		m.counted(now, l, in)
	}
}

// expire ends what is due at now.
func (m *machine) expire(now time.Time) {
	if passed(m.settleBy, now) {
		m.settle()
	}
	if passed(m.deadline, now) {
		m.again(now) // only a backoff has a deadline
	}
	for _, l := range append([]*launch(nil), m.launches...) { // a copy: launches come and go meanwhile
		switch {
		case l.due(now):
			m.overdue(now, l)
		case l.probe.due(now):
			m.probeDue(now, l)
		}
		if l.count.due(now) {
			m.askCount(now, l)
		}
	}
	m.expireTraffic(now)
}

func (m *machine) expireTraffic(now time.Time) {
	if passed(m.standing.at, now) {
		m.standing.at = time.Time{}
	}
	if passed(m.steering.at, now) {
		m.steerAgain()
	}
	if m.doing != nil && passed(m.doing.deadline, now) {
		m.deployDue(now)
	}
	if passed(m.confirmAt(), now) {
		m.confirm(now)
	}
}

// passed says whether a moment has come; zero never does.
func passed(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// nextDeadline is when expire has something to do; zero: never.
func (m *machine) nextDeadline() time.Time {
	var first time.Time
	consider := func(t time.Time) { first = earlier(first, t) }
	consider(m.settleBy)
	consider(m.deadline)
	for _, l := range m.launches {
		consider(l.deadline)
		consider(l.probe.at)
		consider(l.count.at)
	}
	consider(m.standing.at)
	consider(m.steering.at)
	consider(m.confirmAt())
	if m.doing != nil {
		consider(m.doing.deadline)
	}
	return first
}

// enter is the only place where phase and deadline change.
func (m *machine) enter(now time.Time, p Phase, deadline time.Time) {
	if m.phase != p {
		m.since = now
	}
	m.phase, m.deadline = p, deadline
}

// settle notes that nobody has to wait for this gateway's first readiness any more.
func (m *machine) settle() { m.settled, m.settleBy = true, time.Time{} }

func (m *machine) do(a action) { m.out = append(m.out, a) }

func (m *machine) emit(now time.Time, e Event) {
	e.Time, e.Gateway = now, m.name
	m.do(emit{e})
}
