package supervisor

import "time"

// promotable says whether a standby can be the next launch. One that is on its way to stand by can, too: then it is
// the restart. One that fails its check, or ends, cannot.
func promotable(l *launch) bool {
	switch {
	case l == nil:
		return false
	case l.state == ready:
		return l.probe.failed == 0
	}
	return l.coming()
}

// atHand says whether a standby can take over from a launch that still runs.
func atHand(l *launch) bool { return promotable(l) && !l.stoodAt.IsZero() }

// promote makes the standby the current launch. What has to be done is done in this step: the way from the end of
// one launch to the next answer is all that a take-over is about.
func (m *machine) promote(now time.Time) {
	l := m.standby
	m.standby, m.standing = nil, standing{}
	m.become(l)
	if l.state != preparing && l.state != starting {
		l.tookOver = now
	}
	l.stoodAt = time.Time{}
	switch l.state {
	case preparing: // on its way to stand by: it goes on as the restart
	case created:
		l.enter(now, created) // for as long as it is blocked, which has no age
		m.proceed(now, l)
	case starting, thawing:
		m.steer(l.n, all)
	case freezing: // two Freeze at once would race: the thaw follows the answer
		m.steer(l.n, all)
		m.do(cancel{l.n})
	case frozen:
		m.steer(l.n, all)
		m.freeze(now, l, false)
	case ready:
		m.steer(l.n, all)
		m.becomeReady(now, l)
	}
}

// become makes l the current launch. The probes that were good in another role prove nothing of this one.
func (m *machine) become(l *launch) { m.current, m.last, l.good = l, l.n, 0 }

// relieve lets another launch take over from one that is sick before that one is stopped, if policy would launch again at
// once. It answers false when the sick one has to end first.
func (m *machine) relieve(now time.Time, l *launch) bool {
	p, r := m.policy, m.rule(l)
	switch {
	case m.candidateReady():
		m.switchOver(now)
		return true
	case !sideBySide(p, l.policy), r.Action == ActionStop, r.Action == ActionHold, !atHand(m.standby), m.trial != nil && m.trial.last():
		return false
	}
	h := m.history.clone()
	if v := h.add(now, now.Sub(l.since), p.Restart, r, m.random()); v.delay > 0 || v.exhausted {
		return false
	}
	m.history = h
	m.trial.count(r)
	m.cause, m.causeAt = l.cause, now
	m.restarts++
	m.enter(now, Starting, time.Time{})
	m.promote(now)
	m.end(now, l)
	return true
}
