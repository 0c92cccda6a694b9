package supervisor

import (
	"errors"
	"time"
)

// begin makes the next launch, of a standby if there is one. It waits where another one has to be gone first, and
// tend resumes it.
func (m *machine) begin(now time.Time) {
	m.enter(now, Starting, time.Time{})
	if !m.settled && m.settleBy.IsZero() {
		m.settleBy = now.Add(m.policy.StartTimeout)
	}
	switch {
	case m.blocked(m.policy):
	case promotable(m.standby):
		m.promote(now)
	default:
		m.dismiss(now)
		if m.room(now) {
			m.become(m.launch(now, m.revision, m.policy))
		}
	}
}

// launch begins launch number next.
func (m *machine) launch(now time.Time, revision string, p Policy) *launch {
	l := &launch{n: m.next, revision: revision, policy: p, began: now, prepareOwed: true}
	m.next++
	m.launches = append(m.launches, l)
	l.enter(now, preparing)
	m.do(prepare{l.n, revision, l.deadline})
	m.emit(now, Event{Kind: LaunchPreparing, Launch: l.n})
	return l
}

// tend does what has waited for its moment.
func (m *machine) tend(now time.Time) {
	if m.goal != toRun {
		return
	}
	if m.current == nil && m.phase == Starting {
		m.begin(now)
	}
	for _, l := range []*launch{m.current, m.candidate, m.standby} {
		if l != nil && l.state == created && l.stoodAt.IsZero() {
			m.proceed(now, l)
		}
	}
	m.bring(now)
	if m.wantsStandby() {
		m.standby = m.launch(now, m.revision, m.policy)
	}
}

// anew begins because somebody asked: what went wrong before is forgotten.
func (m *machine) anew(now time.Time) {
	m.history = history{}
	if m.phase == Held && m.last == 0 { // an earlier run held it: its first launch in this one is waited for like any
		m.settled = false
	}
	m.begin(now)
}

// again begins because the policy says so.
func (m *machine) again(now time.Time) {
	m.restarts++
	m.begin(now)
}

// start makes the gateway run. What is on its way stays on its way.
func (m *machine) start(now time.Time, who *waiter) {
	if !m.resume(who) {
		return
	}
	if m.phase == Ready {
		m.answer(who, nil)
		return
	}
	m.wait(who, untilReady)
	switch {
	case m.current != nil && !m.current.coming():
		m.current.planned = true // the next one follows because it was asked for, whatever the policy says
	case m.current == nil && (m.phase != Starting || m.last == 0): // Starting without a launch: blocked, or new
		m.anew(now)
	}
}

// restart ends all there is, and begins another launch: not one that waits already, which knows only old things.
func (m *machine) restart(now time.Time, who *waiter) {
	if !m.resume(who) {
		return
	}
	m.wait(who, untilReady)
	m.supersede(now)
	m.clear(now)
	m.replace(now)
}

func (m *machine) replace(now time.Time) {
	switch {
	case m.current != nil:
		m.history = history{}
		m.current.planned = true
		m.end(now, m.current)
	case m.phase != Starting:
		m.anew(now)
	}
}

// stop lets the gateway end. Asked again while it is at it, it kills.
func (m *machine) stop(now time.Time, who *waiter) {
	again := m.goal != toRun && m.phase == Stopping
	if !m.leaves() {
		m.goal = toStop
	}
	m.wait(who, untilStopped)
	m.halt(now)
	if again {
		m.hurry(now)
	}
}

// leave is stop, and then the machine is done. It is no second stop.
func (m *machine) leave(now time.Time, in askLeave) {
	m.goal = max(m.goal, toLeave)
	if in.abandon {
		m.goal = toQuit
	}
	m.wait(in.who, untilStopped)
	m.halt(now)
}

func (m *machine) halt(now time.Time) {
	m.tell(untilReady, ErrSuperseded)
	if m.phase != Stopped {
		m.enter(now, Stopping, time.Time{})
	}
	m.supersede(now)
	m.clear(now)
	if m.current != nil {
		m.letGo(now, m.current)
	}
	m.steering = steering{}
	for _, l := range m.launches {
		if l.state == leftover && !l.cleanOwed {
			m.clean(now, l) // one more try, so that the answer is of now
		}
	}
	m.rest(now)
}

// hurry kills what is on its way out because the gateway is to stop.
func (m *machine) hurry(now time.Time) {
	if m.goal == toRun {
		return
	}
	for _, l := range m.launches {
		if l.state == cancelling || l.state == stopping {
			m.kill(now, l)
		}
	}
}

// rest makes the gateway stopped once nothing of it runs and each Clean has had its answer.
func (m *machine) rest(now time.Time) {
	if m.goal == toRun || !m.quiet() {
		return
	}
	left := errors.Join(m.leftovers()...)
	if m.phase != Stopped {
		m.enter(now, Stopped, time.Time{})
		m.emit(now, Event{Kind: GatewayStopped, Launch: m.last, Cause: left})
	}
	m.settle()
	if m.goal == toLeave && !m.released {
		m.released = true
		m.do(release{})
	}
	m.tell(untilStopped, left)
	if m.goal == toQuit || m.goal == toLeave && len(m.launches) == 0 {
		m.do(finish{})
	}
}

func (m *machine) quiet() bool {
	for _, l := range m.launches {
		if l.state != leftover || l.mayRun {
			return false
		}
	}
	return true
}

// resume takes back a stop. It answers false for a gateway that is leaving: that is not taken back.
func (m *machine) resume(who *waiter) bool {
	if m.leaves() {
		m.answer(who, ErrUnknownGateway)
		return false
	}
	m.goal = toRun
	m.tell(untilStopped, ErrSuperseded)
	return true
}

func (m *machine) leaves() bool { return m.goal == toLeave || m.goal == toQuit }
