package supervisor

import "time"

// candidateReady says whether the new launch of a deploy could serve now.
func (m *machine) candidateReady() bool { return m.candidate != nil && m.candidate.state == ready }

// candidateArrived is the first readiness of the new launch: it gets a share first, or all.
func (m *machine) candidateArrived(now time.Time) {
	d := m.doing
	canary := m.steers && d.Canary > 0 && d.Canary < all && d.CanaryFor > 0
	if !canary || m.phase != Ready { // with nothing that serves beside it, a share makes no sense
		m.switchOver(now)
		return
	}
	d.enter(DeployInCanary, now.Add(d.CanaryFor))
	m.steer(m.candidate.n, d.Canary)
	m.emit(now, Event{Kind: DeployCanary, Launch: m.candidate.n, Revision: d.Revision, Count: d.Canary, Next: d.deadline})
}

// deployDue ends a stage that has lasted long enough.
func (m *machine) deployDue(now time.Time) {
	if m.doing.stage == DeployInCanary {
		m.switchOver(now)
		return
	}
	m.deployFailed(now, 0, errNoPlace)
}

// switchOver makes the new launch the one that serves; the old one drains.
func (m *machine) switchOver(now time.Time) {
	d, old := m.doing, m.current
	m.confirm(now) // not before: a deploy that comes to nothing leaves the trial of what serves as it is
	m.trial = &trial{previous: m.revision, policy: m.policy}
	m.revision, m.policy = d.Revision, d.Policy
	m.become(m.candidate)
	m.candidate, m.standing, m.history = nil, standing{}, history{}
	m.steer(m.current.n, all)
	m.enter(now, Ready, time.Time{})
	m.settle()
	m.tell(untilReady, nil)
	m.switched(now)
	switch {
	case old == nil:
	case old.state == ready && old.cause == nil:
		m.drain(now, old)
	default:
		m.letGo(now, old)
	}
}

// switched: the new revision serves. From now on it is on trial.
func (m *machine) switched(now time.Time) {
	d := m.doing
	m.doing = nil
	until := m.test(now)
	m.emit(now, Event{Kind: DeploySwitched, Launch: m.current.n, Revision: m.revision, After: now.Sub(d.began), Next: until})
	m.tell(untilSwitched, nil)
	m.proving = true
	m.prove(now)
}

// candidateFails: nothing waits for the end of its canary any more.
func (m *machine) candidateFails(l *launch) {
	if l == m.candidate {
		m.doing.enter(m.doing.stage, time.Time{})
	}
}

// candidateEnded: the new launch did not last until the switch, so nothing changes.
func (m *machine) candidateEnded(now time.Time, l *launch) {
	m.candidate = nil
	m.deployFailed(now, l.n, l.failure())
}

// deployFailed: n is 0 where no launch could be made.
func (m *machine) deployFailed(now time.Time, n int, cause error) {
	m.emit(now, Event{Kind: DeployFailed, Launch: n, Revision: m.doing.Revision, Cause: cause})
	m.doing = nil
	m.tellDeploy(cause)
}
