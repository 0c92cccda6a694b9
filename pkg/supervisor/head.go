package supervisor

import (
	"sync"
	"time"
)

// headTime is what a launch has, from its start or thaw to its readiness, before another one is cleared away.
const headTime = 100 * time.Millisecond

// headRest is what is left of it when the launch is ready: a warm standby is that at once, and has yet to answer
// those who have waited.
const headRest = 10 * time.Millisecond

// headStart is that of launch n. Clients wait for it, and who clears another launch away forks, which takes a
// processor for longer than a take-over lasts.
type headStart struct {
	n    int
	over chan struct{} // nil: nobody has one
	end  func()
}

func newHeadStart(n int) headStart {
	over := make(chan struct{})
	end := sync.OnceFunc(func() { close(over) })
	time.AfterFunc(headTime, end)
	return headStart{n, over, end}
}

// wait returns when launch n has been ready for a moment, is to end, or has had its time.
func (h headStart) wait() {
	if h.over != nil {
		<-h.over
	}
}

// hear is told of every event.
func (h headStart) hear(e Event) {
	if h.over == nil || e.Launch != h.n {
		return
	}
	switch e.Kind {
	case LaunchReady:
		time.AfterFunc(headRest, h.end)
	case LaunchStopping, LaunchEnded:
		h.end()
	}
}

// favour gives the current launch its head start when it begins, or goes on. Nobody waits for one in another role.
func (l *loop) favour(actions []action) {
	for _, a := range actions {
		switch a := a.(type) {
		case start:
			l.lead(a.n)
		case freeze:
			if !a.frozen {
				l.lead(a.n)
			}
		}
	}
}

func (l *loop) lead(n int) {
	if current := l.machine.current; current != nil && current.n == n {
		l.head = newHeadStart(n)
	}
}
