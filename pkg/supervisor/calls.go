package supervisor

import (
	"context"
	"slices"
	"sync"
	"time"
)

// headStart is what a launch that begins, or goes on, has before another one is cleared away in the same step: longer
// than that takes, and no more where it hangs.
const headStart = 100 * time.Millisecond

// carry makes the calls of one step, each in a goroutine of its own whose answer comes back as an input. Clients wait
// for a launch that takes over. Who clears the last one away forks, and takes a processor for longer than a take-over
// lasts: that comes after it.
func (l *loop) carry(actions []action) {
	ahead := make(chan struct{})
	arrived := sync.OnceFunc(func() { close(ahead) })
	if slices.ContainsFunc(actions, isAhead) {
		time.AfterFunc(headStart, arrived)
	} else {
		arrived()
	}
	for _, a := range actions {
		l.call(a, ahead, arrived)
	}
}

func isAhead(a action) bool {
	switch a := a.(type) {
	case start:
		return true
	case freeze:
		return !a.frozen
	}
	return false
}

// call carries out an action that is a call.
func (l *loop) call(a action, ahead <-chan struct{}, arrived func()) {
	launcher := l.gateway.Launcher
	switch a := a.(type) {
	case prepare:
		l.prepare(a)
	case start:
		l.spawn(a.n, a.by, func(ctx context.Context) input {
			defer arrived()
			return started{a.n, launcher.Start(ctx, a.n)}
		})
	case probe:
		l.spawn(a.n, a.by, func(ctx context.Context) input { return probed{a.n, l.gateway.Prober.Probe(ctx, a.n)} })
	case signal:
		l.spawn(a.n, a.by, func(ctx context.Context) input { return signalled{a.n, launcher.Signal(ctx, a.n, a.signal)} })
	case kill:
		l.spawn(a.n, a.by, func(ctx context.Context) input { return killed{a.n, launcher.Kill(ctx, a.n)} })
	case clean:
		l.spawn(a.n, a.by, func(ctx context.Context) input {
			<-ahead
			return cleaned{a.n, launcher.Clean(ctx, a.n)}
		})
	case freeze:
		l.spawn(a.n, a.by, func(ctx context.Context) input {
			if isAhead(a) {
				defer arrived()
			}
			return froze{a.n, a.frozen, launcher.Freeze(ctx, a.n, a.frozen)}
		})
	case count:
		l.spawn(a.n, a.by, func(ctx context.Context) input {
			n, err := l.gateway.Traffic.InFlight(ctx, a.n)
			return counted{a.n, n, err}
		})
	case cancel:
		l.of(a.n).renew()
	case forget:
		l.of(a.n).end()
		delete(l.calls, a.n)
	}
}

// of returns the contexts of launch n.
func (l *loop) of(n int) *calls {
	c := l.calls[n]
	if c == nil {
		c = &calls{}
		c.life, c.end = context.WithCancel(context.Background())
		c.ctx, c.stop = context.WithCancel(c.life)
		l.calls[n] = c
	}
	return c
}

// renew cancels the calls so far; later ones get a fresh context.
func (c *calls) renew() {
	c.stop()
	c.ctx, c.stop = context.WithCancel(c.life)
}

func (l *loop) spawn(n int, by time.Time, f func(context.Context) input) {
	ctx, cancel := context.WithDeadline(l.of(n).ctx, by)
	go func() {
		defer cancel()
		l.post(f(ctx))
	}()
}

// prepare asks Prepare and then waits for the Exit in the same goroutine: so it cannot overtake the answer, and
// the way from an exit to the next Prepare is two channels long.
func (l *loop) prepare(a prepare) {
	c := l.of(a.n)
	life := c.life
	ctx, cancel := context.WithDeadline(c.ctx, a.by)
	go func() {
		exit, err := l.gateway.Launcher.Prepare(ctx, a.n, a.revision)
		cancel()
		l.post(prepared{a.n, err})
		if err != nil {
			return
		}
		select {
		case e := <-exit:
			l.post(exited{a.n, e})
		case <-life.Done():
		}
	}()
}
