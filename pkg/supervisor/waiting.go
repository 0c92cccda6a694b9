package supervisor

import (
	"fmt"
	"slices"
)

// waiting is one request whose answer is still to come.
type waiting struct {
	who   *waiter
	until until
}

type until int

const (
	untilReady until = iota
	untilStopped
	untilSwitched // the deploy under way serves
	untilProved   // and has had its good probes
)

// wait notes who waits. Nobody (nil) is not noted: the loop's own requests want no answer.
func (m *machine) wait(who *waiter, u until) {
	if who != nil {
		m.waiting = append(m.waiting, waiting{who, u})
	}
}

// withdraw forgets a waiter whose context has ended.
func (m *machine) withdraw(who *waiter) {
	m.waiting = slices.DeleteFunc(m.waiting, func(w waiting) bool { return w.who == who })
}

func (m *machine) answer(who *waiter, err error) {
	if who != nil {
		m.do(answer{who, err})
	}
}

// tell answers everyone who waits for u.
func (m *machine) tell(u until, err error) {
	m.waiting = slices.DeleteFunc(m.waiting, func(w waiting) bool {
		if w.until == u {
			m.answer(w.who, err)
		}
		return w.until == u
	})
}

// tellFailure answers those who wait for readiness: a launch has ended unasked. One that ends because somebody asked
// for another does not count, so they cannot mean a later one.
func (m *machine) tellFailure(l *launch) { m.tell(untilReady, l.failure()) }

// failure is the cause of a launch that ended although nobody asked for it, with its number.
func (l *launch) failure() error {
	cause := l.cause
	if cause == nil {
		cause = errEndedEarly
	}
	return fmt.Errorf("launch %d: %w", l.n, cause)
}
