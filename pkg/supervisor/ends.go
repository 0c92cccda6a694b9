package supervisor

import (
	"errors"
	"fmt"
	"time"
)

// clean asks for all that l left to be removed. The first time it is also the moment at which l has ended: what
// follows comes first, and Clean goes beside it.
func (m *machine) clean(now time.Time, l *launch) {
	first := !l.leaving()
	if first {
		m.silence(l)
		l.mayRun = !l.exited
		l.endedAt = now
		l.count.at = time.Time{}
	}
	l.cleanOwed = true
	l.enter(now, cleaning)
	if first {
		m.ended(now, l)
	}
	m.do(clean{l.n, l.callBy(now)})
}

// ended tells that l has ended. What follows from it depends on what l was for.
func (m *machine) ended(now time.Time, l *launch) {
	e := Event{Kind: LaunchEnded, Launch: l.n, Cause: l.cause, After: now.Sub(l.began)}
	if l.count.drained {
		e.Count = l.count.last
		m.lastDrained = DrainedStatus{l.n, l.count.last, now}
	}
	m.emit(now, e)
	m.unshare(l)
	switch l {
	case m.current:
		m.currentEnded(now, l)
	case m.standby:
		m.standbyEnded(now, l)
	case m.candidate:
		m.candidateEnded(now, l)
	}
}

func (m *machine) currentEnded(now time.Time, l *launch) {
	m.current = nil
	m.cause, m.causeAt = l.cause, now
	switch {
	case m.goal != toRun:
		// rest follows when it is cleaned
	case m.candidateReady():
		m.switchOver(now)
	case l.planned:
		m.begin(now)
	default:
		m.tellFailure(l)
		m.decide(now, l)
	}
}

// decide applies the policy to a launch that ended unasked.
func (m *machine) decide(now time.Time, l *launch) {
	r := m.rule(l)
	if m.trial == nil && m.doing != nil && !m.doing.beside { // nothing that worked could come back
		m.deployFailed(now, l.n, l.failure())
	}
	switch {
	case m.unfit(l, r):
		m.rollBack(now, l.failure())
	case errors.Is(l.cause, ErrPermanent):
		m.fail(now, l.cause)
	case l.holds(r):
		m.giveUp(now, Held, GatewayHeld)
	case r.Action == ActionHold:
		m.again(now)
	case r.Action == ActionStop:
		m.giveUp(now, Ended, GatewayEnded)
	default:
		m.comeBack(now, m.history.add(now, l.readyFor, m.policy.Restart, r, m.random()))
	}
}

func (m *machine) comeBack(now time.Time, v verdict) {
	switch {
	case v.exhausted:
		m.fail(now, limitReached(m.policy.Restart, m.cause))
	case v.delay == 0:
		m.again(now)
	case v.looping:
		m.pause(now, CrashLooping, v.delay, GatewayCrashLooping)
	default:
		m.pause(now, Backoff, v.delay, GatewayBackoff)
	}
}

func (m *machine) fail(now time.Time, cause error) {
	if m.trial != nil {
		m.rollBack(now, cause)
		return
	}
	m.cause = cause
	m.giveUp(now, Failed, GatewayFailed)
}

// giveUp enters a phase that only a request ends, or the new launch of a deploy.
func (m *machine) giveUp(now time.Time, p Phase, kind EventKind) {
	m.pause(now, p, 0, kind)
	m.settle()
	m.dismiss(now)
	if m.proving {
		m.tellDeploy(fmt.Errorf("%s: %w", p, m.cause))
	}
}

// pause enters a phase without a launch, for so long; 0: until a request ends it.
func (m *machine) pause(now time.Time, p Phase, length time.Duration, kind EventKind) {
	var next time.Time
	if length > 0 {
		next = now.Add(length)
	}
	m.enter(now, p, next)
	m.emit(now, Event{Kind: kind, Launch: m.last, Cause: m.cause, Next: next})
}

func limitReached(p RestartPolicy, last error) error {
	if last == nil {
		return fmt.Errorf("%w: %d launches ended within %v, the last with success", ErrTooManyFailures, p.MaxFailures, p.Window)
	}
	return fmt.Errorf("%w: %d launches ended within %v, the last: %w", ErrTooManyFailures, p.MaxFailures, p.Window, last)
}

// cleaned takes the answer to Clean, however late.
func (m *machine) cleaned(now time.Time, l *launch, err error) {
	if !l.cleanOwed {
		return
	}
	l.cleanOwed = false
	if err != nil {
		// It answered, and it says so when a process may be left.
		l.mayRun = running(err) || l.mayRun && unanswered(err)
		m.cleanFailed(now, l, err)
		return
	}
	m.forget(now, l)
}

func (m *machine) cleanFailed(now time.Time, l *launch, err error) {
	l.cleanErr = err
	l.cleanTries++
	l.enter(now, leftover)
	m.emit(now, Event{Kind: CleanIncomplete, Launch: l.n, Cause: err, Next: l.deadline})
	m.rest(now)
}

// cleanAgain tries once more, but never beside a call that has not come back.
func (m *machine) cleanAgain(now time.Time, l *launch) {
	if l.cleanOwed {
		m.cleanFailed(now, l, l.cleanErr)
		return
	}
	m.clean(now, l)
}

// forget drops the number of a launch of which nothing is left.
func (m *machine) forget(now time.Time, l *launch) {
	for i := range m.launches {
		if m.launches[i] == l {
			m.launches = append(m.launches[:i:i], m.launches[i+1:]...)
			break
		}
	}
	m.do(forget{l.n})
	m.emit(now, Event{Kind: LaunchCleaned, Launch: l.n, After: now.Sub(l.endedAt)})
	m.rest(now)
}

// leftovers are what Clean last could not remove, one error for each launch.
func (m *machine) leftovers() []error {
	var left []error
	for _, l := range m.launches {
		if l.cleanErr != nil {
			left = append(left, l.cleanErr)
		}
	}
	return left
}

func running(err error) bool { return errors.Is(err, ErrRunning) }

// unanswered says whether err is that of a deadline, and tells nothing about processes.
func unanswered(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}
