package supervisor

import "slices"

// invariants are what holds between any two steps.
func (w *model) invariants() {
	if w.finished {
		return
	}
	m := w.m
	if next := m.nextDeadline(); !next.IsZero() && !next.After(w.now) {
		w.failf("a deadline is due after the step that should have seen to it: %v", next.Sub(scriptBegin))
	}
	serving := 0
	for _, l := range m.launches {
		if l.deadline.IsZero() && l.state != ready && (l.state != created || !m.blocked(m.policy)) {
			w.failf("launch %d is %s without an end", l.n, l.state)
		}
		if !l.leaving() {
			serving++
			if l != m.current {
				w.failf("launch %d is %s, and is not the current one", l.n, l.state)
			}
		}
	}
	if serving > 1 {
		w.failf("%d launches serve", serving)
	}
	w.phaseFits()
	w.waitersFit()
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
		fits = s == preparing || s == created || s == starting || s == "" && m.blocked(m.policy)
	case Ready:
		fits = s == ready
	case Stopping:
		fits = s == cancelling || s == stopping || s == killing || s == "" && m.goal != toRun && !m.quiet()
	case Backoff, CrashLooping:
		fits = s == "" && !m.deadline.IsZero()
	case Stopped, Failed, Ended:
		fits = s == "" && m.settled
	}
	if !fits || m.deadline.IsZero() == (m.phase == Backoff || m.phase == CrashLooping) {
		w.failf("phase %s with launch state %q and deadline %v", m.phase, s, m.deadline)
	}
}

// waitersFit checks that nobody waits for what does not come by itself.
func (w *model) waitersFit() {
	for _, waits := range w.m.waiting {
		comes := w.m.goal != toRun
		if waits.until == untilReady {
			comes = w.m.goal == toRun && (w.m.phase == Starting || w.m.phase == Stopping)
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
