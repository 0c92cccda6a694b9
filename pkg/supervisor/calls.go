package supervisor

import (
	"context"
	"time"
)

// call carries out an action that is a call, in a goroutine of its own whose answer comes back as an input.
func (l *loop) call(a action) {
	launcher := l.gateway.Launcher
	switch a := a.(type) {
	case prepare:
		l.prepare(a)
	case start:
		l.spawn(a.n, a.by, func(ctx context.Context) input { return started{a.n, launcher.Start(ctx, a.n)} })
	case probe:
		l.spawn(a.n, a.by, func(ctx context.Context) input { return probed{a.n, l.gateway.Prober.Probe(ctx, a.n)} })
	case signal:
		l.spawn(a.n, a.by, func(ctx context.Context) input { return signalled{a.n, launcher.Signal(ctx, a.n, a.signal)} })
	case kill:
		l.spawn(a.n, a.by, func(ctx context.Context) input { return killed{a.n, launcher.Kill(ctx, a.n)} })
	case clean:
		head := l.head
		l.spawn(a.n, a.by, func(ctx context.Context) input {
			head.wait()
			return cleaned{a.n, launcher.Clean(ctx, a.n)}
		})
	case freeze:
		l.spawn(a.n, a.by, func(ctx context.Context) input { return froze{a.n, a.frozen, launcher.Freeze(ctx, a.n, a.frozen)} })
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
