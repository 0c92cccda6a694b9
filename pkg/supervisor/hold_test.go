package supervisor

import "slices"

// heldFits checks that a hold ends by a change, a request or what a deploy has brought up beside, and that a change
// means nothing to whoever is not held.
func (w *model) heldFits(in input, before Phase, actions []action) {
	_, isChange := in.(changed)
	switch {
	case before == Held && isChange && w.m.phase == Held:
		w.failf("a change does not end the hold")
	case before == Held && w.m.phase != Held && !isChange && !isRequest(in) && !emits(actions, DeploySwitched):
		w.failf("%T ends the hold", in)
	case before != Held && emits(actions, GatewayReleased) && !emits(actions, GatewayHeld):
		w.failf("a gateway in phase %s is released", before)
	}
}

func isRequest(in input) bool {
	switch in.(type) {
	case askStart, askRestart, askStop, askLeave, askDeploy:
		return true
	}
	return false
}

func emits(actions []action, kind EventKind) bool {
	return slices.ContainsFunc(actions, func(a action) bool {
		e, is := a.(emit)
		return is && e.event.Kind == kind
	})
}

// meant ends a launch with a code that has a meaning, and checks that it is understood.
func (w *model) meant(n, code int) {
	w.step(tick{}) // what is due comes first
	if l := w.lives[n]; !l.alive || w.finished {
		return
	}
	m, streak := w.m, w.m.history.streak
	l := m.current
	unasked := m.goal == toRun && l != nil && l.n == n && !l.planned && l.cause == nil && !l.prepareOwed
	waits := m.trial != nil || m.candidateReady() || unasked && l.outdated
	w.exit(n, Exit{Code: code})
	switch {
	case w.finished || !unasked:
	case code == 75 && m.history.streak > streak:
		w.failf("launch %d ended with 75, which is counted", n)
	case code == 78 && !waits && m.policy.Restart.Mode != Never && m.phase != Held:
		w.failf("launch %d ended with 78, and the gateway is %s", n, m.phase)
	}
}
