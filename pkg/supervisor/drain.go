package supervisor

import (
	"errors"
	"time"
)

// countEvery is the time from one answer of InFlight to the next question.
const countEvery = 100 * time.Millisecond

// counting is the schedule of one launch's counts. One question is out at a time, as with probes.
type counting struct {
	at      time.Time // when the next is due; zero: one is out, or none is wanted
	out     bool
	last    int // connections at the last answer; -1: not known
	told    bool
	drained bool // this launch has been drained: what it ends with is cut
}

func (c *counting) due(now time.Time) bool { return passed(c.at, now) }

// drain lets a launch that gets no new connections finish what it has. Where nobody can count, it ends at once.
func (m *machine) drain(now time.Time, l *launch) {
	if !m.steers || l.policy.Deploy.Drain <= 0 {
		m.letGo(now, l)
		return
	}
	m.silence(l)
	l.enter(now, draining)
	l.count = counting{last: unknown, drained: true}
	m.askCount(now, l)
}

// unknown stands for a number of connections that nobody can know.
const unknown = -1

func (m *machine) askCount(now time.Time, l *launch) {
	l.count.at, l.count.out = time.Time{}, true
	m.do(count{l.n, l.callBy(now)})
}

// counted takes the answer to InFlight. It is asked on while the launch is stopping, since what it ends with is cut.
func (m *machine) counted(now time.Time, l *launch, in counted) {
	c := &l.count
	if !c.out {
		return
	}
	c.out = false
	if errors.Is(in.err, ErrUncounted) {
		c.last = unknown
		m.drained(now, l, in.err)
		return
	}
	if !l.leaving() {
		c.at = now.Add(countEvery)
	}
	if in.err != nil { // the next answer may be better, and the drain has its end
		return
	}
	c.last = in.count
	m.tellDrain(now, l)
	if c.last == 0 && m.steering.err == nil {
		m.drained(now, l, nil)
	}
}

func (m *machine) tellDrain(now time.Time, l *launch) {
	if l.state == draining && !l.count.told && l.count.last > 0 {
		l.count.told = true
		m.emit(now, Event{Kind: LaunchDraining, Launch: l.n, Count: l.count.last, Next: l.deadline})
	}
}

// drained ends the drain of a launch, and asks it to end.
func (m *machine) drained(now time.Time, l *launch, cause error) {
	if l.state != draining {
		return
	}
	m.emit(now, Event{Kind: LaunchDrained, Launch: l.n, Count: l.count.last, Cause: cause, After: now.Sub(l.since)})
	l.planned = true
	m.end(now, l)
}

// letGo ends a launch because it was asked for, whatever it is at.
func (m *machine) letGo(now time.Time, l *launch) {
	if l.state == draining {
		m.drained(now, l, nil)
		return
	}
	l.planned = true
	m.end(now, l)
}

// clear ends every launch but the current one.
func (m *machine) clear(now time.Time) {
	m.dismiss(now)
	for _, l := range m.launches {
		if l != m.current && l.coming() {
			m.letGo(now, l)
		}
	}
}
