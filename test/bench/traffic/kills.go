package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/test/bench/figures"
	"github.com/gatewayd/gatewayd/test/bench/service"
)

// settle waits until the gateway is as it is most of the time: it answers, and
// what is to wait beside it waits. The moment that follows is longer than
// reset_after and of no fixed length, so that kills do not come in step with
// anything.
func settle(ctx context.Context, u *service.Unit) error {
	waiting, cancel := context.WithTimeout(ctx, service.Patience)
	defer cancel()
	if err := service.Answers(waiting, u.Address); err != nil {
		return u.Explain(ctx, err)
	}
	if u.Supervised() {
		if err := u.Await(ctx, "settled", settled); err != nil {
			return err
		}
	}
	return service.Pause(ctx, 40*time.Millisecond+rand.N(20*time.Millisecond))
}

func settled(g control.Gateway) bool {
	if !g.Ready || g.Pid <= 1 || g.Deploy != nil || len(g.Draining) > 0 {
		return false
	}
	return g.Standby == nil || g.Standby.Launch != 0 && (g.Standby.State == "created" || g.Standby.State == "frozen")
}

// times is how often a column has its turn.
func times(key string, n int) int {
	if key == podman {
		return max(1, n/4)
	}
	return n
}

// measureKills kills the columns in turn, each alone.
func (b *bench) measureKills(ctx context.Context) {
	for i := range b.kills {
		for _, key := range b.columns(columns...) {
			c := b.result.column(key)
			if c.Failed["kills"] != "" || i >= times(key, b.kills) {
				continue
			}
			u, err := b.settled(ctx, key)
			var killed service.Killed
			if err == nil {
				killed, err = u.Kill(ctx)
			}
			if err != nil {
				b.fail(c, "kills", err)
				b.stop(ctx, key)
				continue
			}
			c.Kill = append(c.Kill, figures.Milliseconds(killed.Took))
			c.Dying = append(c.Dying, figures.Milliseconds(time.Duration(killed.Dead-killed.Sent)))
		}
	}
}

func (b *bench) settled(ctx context.Context, unit string) (*service.Unit, error) {
	u, err := b.start(ctx, unit)
	if err == nil {
		err = settle(ctx, u)
	}
	return u, err
}

// measureSlow kills one after the other, and does not wait for those that take
// seconds in which nothing happens. Whoever is quick comes first, whoever works
// hard last.
func (b *bench) measureSlow(ctx context.Context) {
	for range b.slow {
		var all sync.WaitGroup
		for _, key := range b.columns(warm, created, none, socket, bare, podman) {
			c := b.result.column(key)
			if c.Failed["slow"] != "" {
				continue
			}
			u, err := b.settled(ctx, key+slowly)
			if err != nil {
				b.fail(c, "slow", err)
				continue
			}
			all.Go(func() {
				killed, err := u.Kill(ctx)
				if err != nil {
					b.fail(c, "slow", err)
					return
				}
				c.Slow = append(c.Slow, figures.Milliseconds(killed.Took))
			})
			if err := service.Pause(ctx, 200*time.Millisecond); err != nil {
				return
			}
		}
		all.Wait()
	}
}
