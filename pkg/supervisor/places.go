package supervisor

import (
	"errors"
	"time"
)

// errCrowded is why a drain ends early.
var errCrowded = errors.New("its place is needed: the limit of launches is reached")

// taken counts the places that are taken: by launches that are not ended, and by those of which a process may be left.
func (m *machine) taken() int {
	n := 0
	for _, l := range m.launches {
		if !l.leaving() || l.mayRun {
			n++
		}
	}
	return n
}

// room says whether another launch has a place. If not, the oldest that drains gives up its own, which is free once it
// has ended.
func (m *machine) room(now time.Time) bool {
	if m.taken() < m.policy.Launches {
		return true
	}
	if l := m.oldestAside(); l != nil {
		if l.state == draining {
			m.emit(now, Event{Kind: LaunchDrained, Launch: l.n, Count: l.count.last, Cause: errCrowded, After: now.Sub(l.since)})
		}
		l.planned = true
		m.kill(now, l)
	}
	return false
}

// oldestAside finds the launch that is to give up its place; nil: none, or one is about to be free.
func (m *machine) oldestAside() *launch {
	var oldest *launch
	for _, l := range m.launches {
		switch {
		case l.state == killing, l.state == cancelling:
			return nil
		case l == m.current || oldest != nil:
		case l.state == draining, l.state == stopping:
			oldest = l
		}
	}
	return oldest
}

// runs says whether the program of l may be running.
func (l *launch) runs() bool {
	if l.leaving() {
		return l.mayRun
	}
	return l.begun && !l.exited
}

// blocked says whether a launch under policy p has to wait for another one to be gone.
func (m *machine) blocked(p Policy) bool {
	for _, l := range m.launches {
		if l.runs() && !sideBySide(p, l.policy) {
			return true
		}
	}
	return false
}

// sideBySide says whether launches under p and q may run at the same time.
func sideBySide(p, q Policy) bool { return p.Overlap && q.Overlap }

// haunted says whether a process may be left of a launch that has ended.
func (m *machine) haunted() bool {
	for _, l := range m.launches {
		if l.leaving() && l.mayRun {
			return true
		}
	}
	return false
}
