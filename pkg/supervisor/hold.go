package supervisor

import "time"

// Hold is what an earlier run of the program held a gateway for.
type Hold struct {
	Cause error
	Since time.Time
}

// beginHeld goes on where an earlier run held the gateway.
func (m *machine) beginHeld(h *Hold) {
	m.goal, m.settled, m.trial = toRun, true, nil
	m.cause, m.causeAt = h.Cause, h.Since
	m.enter(h.Since, Held, time.Time{})
}

// rule is what the policy says of the end of l.
func (m *machine) rule(l *launch) ruling { return m.policy.Restart.rule(l.cause) }

// changed: something that launches are made from is another one now. A hold waits for that.
func (m *machine) changed(now time.Time, what string) {
	for _, l := range m.launches {
		l.outdated = true
	}
	if m.phase == Held {
		m.emit(now, Event{Kind: GatewayReleased, Launch: m.last, Why: what})
		m.anew(now)
	}
}

// holds says whether l, which ended by r, is to be followed by nothing until something changes. What has changed while
// it ran may be all that it lacked.
func (l *launch) holds(r ruling) bool { return r.Action == ActionHold && !l.outdated }
