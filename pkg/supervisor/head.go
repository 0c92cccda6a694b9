package supervisor

import (
	"sync"
	"time"
)

// headTime is what a launch has, from its start or thaw to its readiness, before another one is cleared away.
const headTime = 100 * time.Millisecond

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

// wait returns when launch n is ready, has ended, or has had its time.
func (h headStart) wait() {
	if h.over != nil {
		<-h.over
	}
}

// hear is told of every event.
func (h headStart) hear(e Event) {
	if h.over != nil && e.Launch == h.n && (e.Kind == LaunchReady || e.Kind == LaunchEnded) {
		h.end()
	}
}

// favour gives a launch that begins, or goes on, its head start.
func (l *loop) favour(actions []action) {
	for _, a := range actions {
		switch a := a.(type) {
		case start:
			l.head = newHeadStart(a.n)
		case freeze:
			if !a.frozen {
				l.head = newHeadStart(a.n)
			}
		}
	}
}
