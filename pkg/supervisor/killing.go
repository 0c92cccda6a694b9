package supervisor

import (
	"fmt"
	"time"
)

// maxKills is how often Kill is asked in vain before Clean is, which may have other means.
const maxKills = 3

// signalled takes the answer to Signal. One that was not delivered cannot be waited for.
func (m *machine) signalled(now time.Time, l *launch, err error) {
	if l.state == stopping && err != nil {
		l.killErr = err
		m.kill(now, l)
	}
}

// killAsked kills what takes no signal. Where its end was asked for that is the way to ask, and no last resort.
func (m *machine) killAsked(now time.Time, l *launch) {
	if l.planned {
		m.killAs(now, l, LaunchStopping)
		return
	}
	m.kill(now, l)
}

func (m *machine) kill(now time.Time, l *launch) { m.killAs(now, l, LaunchKilling) }

func (m *machine) killAs(now time.Time, l *launch, kind EventKind) {
	if l.state != killing {
		m.silence(l)
	}
	l.kills++
	l.enter(now, killing)
	m.do(kill{l.n, l.deadline})
	m.emit(now, Event{Kind: kind, Launch: l.n, Cause: l.killErr, Next: l.deadline})
	l.killErr = nil
}

// killed notes what Kill came to. The Exit is what counts, so nothing follows from it before the deadline.
func (m *machine) killed(l *launch, err error) {
	if l.state == killing {
		l.killErr = err
	}
}

func (m *machine) killAgain(now time.Time, l *launch) {
	if l.kills >= maxKills || l.prepareOwed { // a Prepare that hangs has no Exit to wait for
		m.clean(now, l)
		return
	}
	if l.killErr == nil {
		l.killErr = fmt.Errorf("kill launch %d: no exit in %v", l.n, now.Sub(l.since))
	}
	m.kill(now, l)
}

// gone notes that a launch which was killed in vain, and given to Clean since, has ended after all.
func (m *machine) gone(now time.Time, l *launch) {
	l.exited = true
	l.mayRun = running(l.cleanErr)
	m.rest(now)
}
