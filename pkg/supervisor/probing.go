package supervisor

import (
	"errors"
	"fmt"
	"time"
)

// firstPause is the time to the second probe of a launch; it doubles up to Interval.
const firstPause = time.Millisecond

// probing is the schedule of one launch's probes. Only one is out at a time, so that a Prober that hangs for ever
// costs one goroutine.
type probing struct {
	at     time.Time     // when the next is due, or when the one that is out should have answered; zero: no probes
	asked  bool          // one is out
	missed bool          // the one that is out is counted as failed: its answer comes too late
	pause  time.Duration // to the next one while starting
	failed int           // in a row, of a ready launch
	err    error         // of the last one; nil: it was good
}

func (p *probing) due(now time.Time) bool { return passed(p.at, now) }

// probeDue asks for a probe, or counts the one that does not answer.
func (m *machine) probeDue(now time.Time, l *launch) {
	if !l.probe.asked {
		m.askProbe(now, l)
		return
	}
	l.probe.missed = true
	l.probe.at = now.Add(l.policy.Probe.Interval)
	m.probeFailed(now, l, fmt.Errorf("probe: no answer in %v", l.policy.Probe.Timeout))
}

func (m *machine) askProbe(now time.Time, l *launch) {
	by := now.Add(l.policy.Probe.Timeout)
	l.probe.asked, l.probe.missed = true, false
	l.probe.at = by.Add(grace)
	m.do(probe{l.n, by})
}

// probed takes the answer to a probe.
func (m *machine) probed(now time.Time, l *launch, err error) {
	p := &l.probe
	switch {
	case !p.asked:
	case p.missed: // counted already, and too old to say anything about now
		m.askProbe(now, l)
	case err != nil:
		p.asked = false
		p.at = now.Add(l.nextPause())
		m.probeFailed(now, l, err)
	default:
		p.asked = false
		p.failed, p.err = 0, nil
		m.probeGood(now, l)
	}
}

func (m *machine) probeGood(now time.Time, l *launch) {
	l.good++
	l.probe.at = time.Time{}
	if !l.policy.Probe.Once {
		l.probe.at = now.Add(l.policy.Probe.Interval)
	}
	switch {
	case l.state == starting:
		m.becomeReady(now, l)
	case l == m.standby: // it was a check
		m.freeze(now, l, true)
	case l == m.current:
		m.prove(now)
	}
}

// probeFailed counts against a ready launch; one that is starting has its deadline.
func (m *machine) probeFailed(now time.Time, l *launch, err error) {
	p := &l.probe
	p.err = err
	if l.state != ready || errors.Is(err, ErrUnasked) {
		return
	}
	p.failed++
	if limit := m.patience(l); limit == 0 || p.failed < limit {
		return
	}
	l.cause = fmt.Errorf("%w: %d probes in a row failed, the last: %w", ErrUnhealthy, p.failed, err)
	m.emit(now, Event{Kind: LaunchUnhealthy, Launch: l.n, Cause: l.cause, After: now.Sub(l.since)})
	if l == m.current && m.relieve(now, l) {
		return
	}
	m.end(now, l)
}

// patience is how many bad probes in a row are too many; 0: any number is fine. The check of a standby has an end.
func (m *machine) patience(l *launch) int {
	if limit := l.policy.Probe.UnhealthyAfter; limit > 0 || l != m.standby {
		return limit
	}
	return checksFailed
}

// checksFailed is how many bad probes lose a standby whose policy has no limit.
const checksFailed = 3

// nextPause is the time to the next probe after a failed one.
func (l *launch) nextPause() time.Duration {
	if l.state == ready {
		return l.policy.Probe.Interval
	}
	l.probe.pause = min(max(2*l.probe.pause, firstPause), l.policy.Probe.Interval)
	return l.probe.pause
}
