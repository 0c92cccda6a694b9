package supervisor

import (
	"errors"
	"fmt"
	"time"
)

// errLeft is why a standby is lost that ended with success.
var errLeft = errors.New("ended by itself")

// standing is what is remembered of standbys from one to the next.
type standing struct {
	failures int       // lost ones since one lasted
	err      error     // why the last one was lost; nil once one is there
	at       time.Time // when the next one is made; zero: as soon as there may be one
}

// wantsStandby says whether one is to be made now. Nothing is made beside a restart or a deploy: they come first, and
// both end what would be made. What has just taken over answers its first probe first, without a Prepare beside it.
func (m *machine) wantsStandby() bool {
	return m.policy.Standby.Mode != NoStandby && m.goal == toRun && m.phase == Ready && !m.current.probe.asked &&
		m.standby == nil && m.doing == nil && m.standing.at.IsZero() && !m.haunted() && m.taken() < m.policy.Launches
}

// stood lets a standby stay where it is: it can take over from here.
func (m *machine) stood(now time.Time, l *launch) {
	m.standing.err = nil
	if l.stoodAt.IsZero() {
		l.stoodAt = now
		m.emit(now, Event{Kind: StandbyReady, Launch: l.n, After: now.Sub(l.began), Next: l.oldAt()})
	}
	if l.state == freezing {
		l.enter(now, frozen)
	} else {
		l.enter(now, created)
	}
	if l.due(now) { // it was being checked when its time came
		m.overdue(now, l)
	}
}

// oldAt is when a standby is renewed; zero: never, or it is none yet.
func (l *launch) oldAt() time.Time {
	if l.stoodAt.IsZero() || l.policy.Standby.MaxAge <= 0 {
		return time.Time{}
	}
	return l.stoodAt.Add(l.policy.Standby.MaxAge)
}

// checkAt is when a standby that is frozen at now is asked whether it works; zero: never.
func (l *launch) checkAt(now time.Time) time.Time {
	if l.policy.Standby.Check <= 0 || !l.policy.Probe.Enabled {
		return time.Time{}
	}
	return now.Add(l.policy.Standby.Check)
}

// reconsider is what follows when a standby has stood long enough: its renewal, or a check.
func (m *machine) reconsider(now time.Time, l *launch) {
	if old := l.oldAt(); !old.IsZero() && !now.Before(old) {
		m.dismiss(now) // the next one follows in the same step, if there is a place
		return
	}
	m.freeze(now, l, false)
}

// freeze stops a launch where it is, or lets it go on.
func (m *machine) freeze(now time.Time, l *launch, frozen bool) {
	l.probe.at = time.Time{}
	if frozen {
		l.enter(now, freezing)
	} else {
		l.enter(now, thawing)
	}
	m.do(freeze{l.n, frozen, l.callBy(now)})
}

// froze takes the answer to Freeze.
func (m *machine) froze(now time.Time, l *launch, in froze) {
	switch {
	case l.state == freezing && in.frozen && l == m.current: // it was to take over meanwhile
		m.freeze(now, l, false)
	case l.state == freezing && in.frozen && in.err == nil:
		m.stood(now, l)
	case l.state == thawing && !in.frozen && in.err == nil:
		m.thawed(now, l)
	case l.state == freezing && in.frozen, l.state == thawing && !in.frozen:
		l.blame(in.err)
		m.end(now, l)
	}
}

// thawed: what was good when it was frozen is ready without a probe, and asked at once.
func (m *machine) thawed(now time.Time, l *launch) {
	if l == m.current {
		m.becomeReady(now, l)
	} else {
		l.enter(now, ready)
	}
	if l.policy.Probe.Enabled {
		m.askProbe(now, l)
	}
}

// dismiss ends a standby that is not wanted any more.
func (m *machine) dismiss(now time.Time) {
	l := m.standby
	if l == nil {
		return
	}
	m.standby = nil
	m.emit(now, Event{Kind: StandbyLost, Launch: l.n, Cause: l.cause})
	m.letGo(now, l)
}

// standbyEnded notes that one is lost. Its failures keep to themselves: they delay the next standby, nothing else. One
// that is outdated has not failed, and the next one follows in the same step.
func (m *machine) standbyEnded(now time.Time, l *launch) {
	m.standby = nil
	s := &m.standing
	if errors.Is(l.cause, ErrOutdated) {
		m.emit(now, Event{Kind: StandbyLost, Launch: l.n, Cause: l.cause})
		return
	}
	if !l.stoodAt.IsZero() && now.Sub(l.stoodAt) >= l.policy.Restart.ResetAfter {
		s.failures = 0
	}
	s.failures++
	s.err = l.cause
	if s.err == nil {
		s.err = errLeft
	}
	s.at = now.Add(retryDelay(s.failures))
	if errors.Is(s.err, ErrPermanent) || l.holds(l.policy.Restart.rule(l.cause)) { // nothing it lacks comes by itself
		s.at = now.Add(longestRetry)
	}
	m.emit(now, Event{Kind: StandbyLost, Launch: l.n, Cause: s.err, Next: s.at})
}

// notFrozen is the cause of a launch whose Freeze did not come back.
func (l *launch) notFrozen(now time.Time) error {
	verb := "freeze"
	if l.state == thawing {
		verb = "thaw"
	}
	return fmt.Errorf("%s launch %d: no answer in %v", verb, l.n, now.Sub(l.since))
}
