package supervisor

import (
	"errors"
	"slices"
)

// invariants are what holds between any two steps.
func (w *model) invariants() {
	if w.finished {
		return
	}
	m := w.m
	m.snapshot() // which is there at any moment
	if next := m.nextDeadline(); !next.IsZero() && !next.After(w.now) {
		w.failf("a deadline is due after the step that should have seen to it: %v", next.Sub(scriptBegin))
	}
	for _, l := range m.launches {
		if l.deadline.IsZero() && l.state != ready && l.state != frozen && l.stoodAt.IsZero() &&
			(l.state != created || !m.blocked(l.policy)) {
			w.failf("launch %d is %s without an end", l.n, l.state)
		}
		if l.coming() && l.state != draining && l != m.current && l != m.standby && l != m.candidate {
			w.failf("launch %d is %s, and has no role", l.n, l.state)
		}
	}
	w.phaseFits()
	w.waitersFit()
	w.rolesFit()
}

func (w *model) phaseFits() {
	m := w.m
	var s state
	if m.current != nil {
		s = m.current.state
	}
	fits := false
	switch m.phase {
	case Starting:
		fits = s == preparing || s == created || s == starting || s == freezing || s == thawing ||
			s == "" && (m.blocked(m.policy) || m.taken() >= m.policy.Launches)
	case Ready:
		fits = s == ready
	case Stopping:
		fits = s == cancelling || s == stopping || s == killing || s == "" && m.goal != toRun && !m.quiet()
	case Backoff, CrashLooping:
		fits = s == "" && !m.deadline.IsZero()
	case Stopped, Failed, Ended:
		fits = s == "" && m.settled
	case Held:
		fits = s == "" && m.settled && m.goal == toRun && m.standby == nil && m.trial == nil && !m.proving
	}
	if !fits || m.deadline.IsZero() == (m.phase == Backoff || m.phase == CrashLooping) {
		w.failf("phase %s with launch state %q and deadline %v", m.phase, s, m.deadline)
	}
}

// rolesFit checks that nobody stands by or is deployed where there is no place for it.
func (w *model) rolesFit() {
	m := w.m
	if l := m.standby; l != nil {
		restart := m.phase == Starting && !m.blocked(m.policy)
		if m.goal != toRun || m.doing != nil || restart || l.revision != m.revision || l == m.current || l == m.candidate {
			w.failf("launch %d of %s stands by in phase %s of %s", l.n, l.revision, m.phase, m.revision)
		}
	}
	if l := m.current; l != nil && l.coming() && l.n < w.fresh && !m.leaves() {
		w.failf("launch %d outlives a restart", l.n)
	}
	if l := m.candidate; l != nil && (m.goal != toRun || m.doing == nil || !m.doing.beside || l.revision != m.doing.Revision) {
		w.failf("launch %d is deployed by nobody", l.n)
	}
	if d := m.doing; d != nil && d.beside && m.trial != nil && !m.trial.tested {
		w.failf("%s was never ready, and %s is deployed beside it", m.revision, d.Revision)
	}
	if l := m.current; l != nil && l.coming() && l.revision != m.revision {
		w.failf("launch %d of %s is current, the revision is %s", l.n, l.revision, m.revision)
	}
}

// takeSteer notes who gets new connections; now and then it fails.
func (w *model) takeSteer(a steer) {
	if !w.m.steers {
		w.failf("there is no traffic to steer")
	}
	switch a.share {
	case all:
		w.serving, w.canary = a.n, 0
	case 0:
		w.canary = 0
	default:
		w.canary = a.n
	}
	if w.byte()%16 == 15 {
		w.failures = append(w.failures, steerFailed{a.n, a.share, errors.New("no")})
	}
}

// traffic checks, after a step, that new connections go where they are served, and that the limit is kept.
func (w *model) traffic(actions []action) {
	m := w.m
	if w.finished {
		return
	}
	for _, a := range actions {
		if _, is := a.(prepare); is && m.taken() > m.policy.Launches {
			w.failf("%d launches, %d are allowed", m.taken(), m.policy.Launches)
		}
	}
	if m.phase == Ready && w.lives[m.current.n].frozen {
		w.failf("launch %d serves, and is frozen", m.current.n)
	}
	if !m.steers {
		return
	}
	if w.serving > 0 && w.life(w.serving).startedN == 0 {
		w.failf("launch %d gets the connections, and was never started", w.serving)
	}
	if m.phase == Ready && w.serving != m.current.n {
		w.failf("launch %d serves, %d gets the connections", m.current.n, w.serving)
	}
	if w.canary > 0 && (m.candidate == nil || m.candidate.n != w.canary || m.candidate.state != ready) {
		w.failf("launch %d has a share, and is no canary", w.canary)
	}
}

// waitersFit checks that nobody waits for what does not come by itself.
func (w *model) waitersFit() {
	for _, waits := range w.m.waiting {
		comes := w.m.goal != toRun
		switch waits.until {
		case untilReady:
			comes = w.m.goal == toRun && (w.m.phase == Starting || w.m.phase == Stopping)
		case untilSwitched:
			comes = w.m.doing != nil
		case untilProved:
			comes = w.m.doing != nil || w.m.proving && w.m.phase != Failed && w.m.phase != Ended && w.m.phase != Held
		}
		if !comes {
			w.failf("somebody waits (until %d) in phase %s", waits.until, w.m.phase)
		}
	}
	for who, waits := range w.asked {
		known := slices.ContainsFunc(w.m.waiting, func(x waiting) bool { return x.who == who })
		if waits != known {
			w.failf("a waiter is lost: waits %v, known %v", waits, known)
		}
	}
}
