package supervisor

import (
	"fmt"
	"syscall"
	"time"
)

const sigkill = syscall.SIGKILL

// prepared takes the answer to Prepare.
func (m *machine) prepared(now time.Time, l *launch, err error) {
	if !l.prepareOwed {
		return
	}
	l.prepareOwed = false
	switch {
	case l.leaving() && running(err):
		l.mayRun = true // what Clean said before knew nothing of it
	case l.leaving() && err != nil:
		m.gone(now, l)
	case l.leaving(): // it ignored its context for so long that Clean came first, and has to come again
		m.do(kill{l.n, l.callBy(now)})
	case err != nil:
		l.blame(err)
		l.explain(err)
		l.exited = !running(err) // nothing was made that could run, unless it says so
		m.clean(now, l)
	case l.exited:
		m.clean(now, l)
	case l.state == preparing:
		l.enter(now, created)
		m.emit(now, Event{Kind: LaunchCreated, Launch: l.n, After: now.Sub(l.began)})
		m.made(now, l)
	default: // the context was cancelled too late to matter: there is a container
		m.kill(now, l)
	}
}

// made goes on with a launch that is created: one kind of standby stays there.
func (m *machine) made(now time.Time, l *launch) {
	if l == m.standby && l.policy.Standby.Mode == CreatedStandby {
		m.stood(now, l)
		return
	}
	m.proceed(now, l)
}

// proceed starts a created launch unless another one has to be gone first.
func (m *machine) proceed(now time.Time, l *launch) {
	if m.blocked(l.policy) {
		return
	}
	l.begun = true
	l.enter(now, starting)
	if l == m.current {
		m.steer(l.n, all)
	}
	m.do(start{l.n, earlier(l.callBy(now), l.deadline)})
}

// started takes the answer to Start.
func (m *machine) started(now time.Time, l *launch, err error) {
	if l.state == killing {
		l.explain(err)
	}
	if l.state != starting || !l.startedAt.IsZero() {
		return
	}
	if err != nil {
		l.cause, l.startErr = err, true
		m.end(now, l)
		return
	}
	l.startedAt = now
	m.emit(now, Event{Kind: LaunchStarted, Launch: l.n, After: now.Sub(l.since)})
	if l.policy.Probe.Enabled {
		m.askProbe(now, l)
	} else {
		m.becomeReady(now, l)
	}
}

// becomeReady is the first readiness of a launch in its role.
func (m *machine) becomeReady(now time.Time, l *launch) {
	if l == m.standby {
		m.freeze(now, l, true)
		return
	}
	l.enter(now, ready)
	m.emit(now, Event{Kind: LaunchReady, Launch: l.n, After: now.Sub(later(l.began, l.tookOver))})
	if l == m.candidate {
		m.candidateArrived(now)
		return
	}
	m.enter(now, Ready, time.Time{})
	m.settle()
	if !l.tookOver.IsZero() {
		m.emit(now, Event{Kind: TookOver, Launch: l.n, After: now.Sub(m.causeAt)})
	}
	m.tell(untilReady, nil)
	switch {
	case m.doing != nil && !m.doing.beside:
		m.switched(now)
	case m.trial != nil && !m.trial.tested: // whoever waited for it has been superseded
		m.test(now)
	}
}

// overdue ends a state whose deadline has come.
func (m *machine) overdue(now time.Time, l *launch) {
	switch l.state {
	case preparing, starting:
		l.blame(l.timedOut())
		m.end(now, l)
	case created, frozen:
		m.reconsider(now, l)
	case freezing, thawing:
		l.blame(l.notFrozen(now))
		m.end(now, l)
	case draining:
		m.drained(now, l, nil)
	case cancelling, stopping:
		m.kill(now, l)
	case killing:
		m.killAgain(now, l)
	case cleaning:
		m.cleanFailed(now, l, fmt.Errorf("clean launch %d: no answer in %v", l.n, now.Sub(l.since)))
	case leftover:
		m.cleanAgain(now, l)
	}
}

// end lets a launch end, in the way its state calls for. One that is on its way out already goes on.
func (m *machine) end(now time.Time, l *launch) {
	if l == m.current {
		m.enter(now, Stopping, time.Time{})
	}
	if !l.coming() {
		return
	}
	m.unshare(l)
	m.candidateFails(l)
	switch {
	case l.state == preparing:
		m.silence(l)
		l.enter(now, cancelling)
		m.emit(now, Event{Kind: LaunchStopping, Launch: l.n, Cause: l.cause})
	case l.startedAt.IsZero() || l.still() || l.policy.Stop.Timeout <= 0:
		m.killAsked(now, l) // before its program runs, and when it is frozen, there is nobody who could take a signal
	default:
		m.silence(l)
		l.enter(now, stopping)
		m.do(signal{l.n, l.policy.Stop.Signal, earlier(l.callBy(now), l.deadline)})
		m.emit(now, Event{Kind: LaunchStopping, Launch: l.n, Cause: l.cause})
	}
}

// silence cancels every call of l so far.
func (m *machine) silence(l *launch) {
	l.probe.at, l.probe.asked = time.Time{}, false
	m.do(cancel{l.n})
}

// exited takes the end of the program, at whatever moment it comes.
func (m *machine) exited(now time.Time, l *launch, e Exit) {
	switch {
	case l.leaving():
		m.gone(now, l)
	case l.prepareOwed: // it was quicker than the answer to Prepare, which is still to come
		l.takeExit(e)
	default:
		l.takeExit(e)
		m.clean(now, l)
	}
}

// earlier returns the first of two moments; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
