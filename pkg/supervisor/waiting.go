package supervisor

import (
	"fmt"
	"slices"
)

// waiting is one request whose answer is still to come.
type waiting struct {
	who   *waiter
	until until
	from  int // the first launch whose readiness or failure is an answer
}

type until int

const (
	untilReady until = iota
	untilStopped
)

// wait notes who waits. Nobody (nil) is not noted: the loop's own requests want no answer.
func (m *machine) wait(who *waiter, u until, from int) {
	if who != nil {
		m.waiting = append(m.waiting, waiting{who, u, from})
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

// refuse answers everyone who waits for u with err; nil is a fine answer too.
func (m *machine) refuse(u until, err error) {
	m.answerWhere(err, func(w waiting) bool { return w.until == u })
}

// answerReady answers those who wait for launch n or an earlier one.
func (m *machine) answerReady(n int, err error) {
	m.answerWhere(err, func(w waiting) bool { return w.until == untilReady && w.from <= n })
}

func (m *machine) answerWhere(err error, wanted func(waiting) bool) {
	m.waiting = slices.DeleteFunc(m.waiting, func(w waiting) bool {
		if !wanted(w) {
			return false
		}
		m.answer(w.who, err)
		return true
	})
}

// tellFailure answers those who wait for a launch that has ended unasked.
func (m *machine) tellFailure(l *launch) {
	cause := l.cause
	if cause == nil {
		cause = errEndedEarly
	}
	m.answerReady(l.n, fmt.Errorf("launch %d: %w", l.n, cause))
}
