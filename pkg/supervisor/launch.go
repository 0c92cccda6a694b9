package supervisor

import (
	"errors"
	"fmt"
	"time"
)

// state is how far a launch is. Each ends by its event or at its deadline; only created, frozen and ready may last.
type state string

const (
	preparing  state = "preparing"  // Prepare is asked
	cancelling state = "cancelling" // Prepare's context is cancelled, its answer is still owed
	created    state = "created"    // blocked before its program starts
	starting   state = "starting"   // Start is asked, then probes until one is good
	ready      state = "ready"
	freezing   state = "freezing" // Freeze is asked
	frozen     state = "frozen"
	thawing    state = "thawing"  // the opposite is asked
	draining   state = "draining" // no new connections, and those it has may end
	stopping   state = "stopping" // the signal is sent
	killing    state = "killing"
	cleaning   state = "cleaning" // Clean is asked
	leftover   state = "leftover" // Clean failed and will be asked again
)

// launch is one attempt to run a gateway. It keeps the policy it began with.
type launch struct {
	n        int
	revision string
	policy   Policy

	state    state
	since    time.Time
	deadline time.Time // when the state ends by itself; zero: never

	began     time.Time
	budget    time.Duration // of StartTimeout, left when created: waiting there does not use it up
	startedAt time.Time     // zero: Start has not been answered
	readyFor  time.Duration // how long it had been ready
	endedAt   time.Time

	begun    bool      // Start has been asked
	good     int       // good probes as the current launch
	stoodAt  time.Time // when it was first where a standby stays; zero: it is not one that can take over
	tookOver time.Time // when it was promoted from a standby that was started, or blocked; zero: it was not
	count    counting

	planned  bool  // somebody asked for its end: what follows is no matter of policy
	outdated bool  // what it was made from has changed since
	cause    error // why it ended

	exited   bool // the Exit came
	startErr bool // cause is what Start returned
	probe    probing
	kills    int   // how often Kill was asked
	killErr  error // what Signal or Kill last came to

	prepareOwed bool // an answer to Prepare is owed
	cleanOwed   bool // an answer to Clean is owed
	cleanTries  int  // how often Clean failed
	cleanErr    error
	mayRun      bool // of a launch that is cleaned: a process of it may be left
}

// enter is the only place where state and deadline change.
func (l *launch) enter(now time.Time, s state) {
	if l.state == ready {
		l.readyFor = now.Sub(l.since)
	}
	if s == ready {
		l.readyFor = 0 // what it was ready for as a standby does not count
	}
	if l.state == preparing && s == created {
		l.budget = l.deadline.Sub(now)
	}
	l.state, l.since, l.deadline = s, now, l.until(now, s)
}

// until is when a state that begins now ends by itself; zero: it may last.
func (l *launch) until(now time.Time, s state) time.Time {
	switch s {
	case created:
		return l.oldAt()
	case frozen:
		return earlier(l.checkAt(now), l.oldAt())
	case ready:
		return time.Time{}
	}
	return now.Add(l.length(s))
}

// length is how long a state lasts when nothing happens.
func (l *launch) length(s state) time.Duration {
	switch s {
	case preparing:
		return l.policy.StartTimeout
	case starting:
		return max(l.budget, 0)
	case stopping:
		return l.policy.Stop.Timeout
	case cancelling, killing:
		return l.policy.CallTimeout
	case cleaning, freezing, thawing:
		return l.policy.CallTimeout + grace
	case leftover:
		if l.mayRun { // the next launch may wait for it
			return min(retryDelay(l.cleanTries), mayRunPause)
		}
		return retryDelay(l.cleanTries)
	case draining:
		return l.policy.Deploy.Drain
	}
	return 0
}

// due says whether the state's deadline has come.
func (l *launch) due(now time.Time) bool {
	return passed(l.deadline, now)
}

// callBy is the deadline of a call that begins now.
func (l *launch) callBy(now time.Time) time.Time {
	return now.Add(l.policy.CallTimeout)
}

// leaving says whether all that is left to do is to clean.
func (l *launch) leaving() bool { return l.state == cleaning || l.state == leftover }

// coming says whether nobody has begun to end the launch.
func (l *launch) coming() bool {
	switch l.state {
	case cancelling, stopping, killing, cleaning, leftover:
		return false
	}
	return true
}

// still says whether its processes are frozen, or may be: they take no signal but SIGKILL then.
func (l *launch) still() bool { return l.state == freezing || l.state == frozen || l.state == thawing }

// takeExit notes how the program ended, as the cause if nothing else was.
func (l *launch) takeExit(e Exit) {
	l.exited = true
	// Start failed because the program had ended, or the program was ended because Start failed? Our own Kill
	// leaves SIGKILL; anything else it did by itself, and that says more.
	own := e.OOM || e.Signal != sigkill
	if l.startErr && own && e.Cause() != nil {
		l.cause = e.Cause()
	}
	l.blame(e.Cause())
}

// blame sets the cause unless there is one, or the end was asked for: the first thing that went wrong counts.
func (l *launch) blame(cause error) {
	if l.cause == nil && !l.planned {
		l.cause = cause
	}
}

// explain adds to a start timeout what the call that took too long says when it comes back: its own words tell
// what hung.
func (l *launch) explain(err error) {
	if err != nil && l.startedAt.IsZero() && errors.Is(l.cause, ErrStartTimeout) && !errors.Is(l.cause, err) {
		l.cause = fmt.Errorf("%w: %w", l.cause, err)
	}
}

// timedOut is the cause of a launch that was not ready in time.
func (l *launch) timedOut() error {
	switch {
	case l.prepareOwed:
		return fmt.Errorf("%w: prepare took longer than %v", ErrStartTimeout, l.policy.StartTimeout)
	case l.startedAt.IsZero():
		return fmt.Errorf("%w: start took longer than %v", ErrStartTimeout, l.policy.StartTimeout)
	case l.probe.err == nil:
		return fmt.Errorf("%w: no good probe in %v", ErrStartTimeout, l.policy.StartTimeout)
	}
	return fmt.Errorf("%w: no good probe in %v: %w", ErrStartTimeout, l.policy.StartTimeout, l.probe.err)
}
