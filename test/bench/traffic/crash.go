package main

import (
	"context"

	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/test/bench/load"
)

// turns is how often the columns take turns under load.
const turns = 4

func (b *bench) measureCrashes(ctx context.Context) {
	for turn := range turns {
		for _, key := range b.columns(columns...) {
			n := times(key, b.kills)
			n = n*(turn+1)/turns - n*turn/turns
			c := b.result.column(key)
			if c.Failed["crash"] != "" || n == 0 {
				continue
			}
			if err := b.crash(ctx, c, key, n); err != nil {
				b.fail(c, "crash", err)
				b.stop(ctx, key)
			}
		}
	}
}

// crash kills one column's gateway n times under load.
func (b *bench) crash(ctx context.Context, c *Column, key string, n int) error {
	u, err := b.start(ctx, key)
	if err != nil {
		return err
	}
	var kills []load.Kill
	r, err := b.under(ctx, u, freshLoad, n, func(int) error {
		if err := settle(ctx, u); err != nil {
			return err
		}
		killed, err := u.Kill(ctx)
		kills = append(kills, killed.Kill)
		return err
	})
	if err != nil {
		return err
	}
	c.Crash = c.Crash.add(n, r)
	c.Crash.Stray += load.Stray(r.Fresh.Failures, kills)
	if u.Supervised() {
		g, err := u.Status(ctx)
		if err != nil {
			return err
		}
		c.Crash.Rescued = rescued(g)
	}
	return nil
}

func rescued(g control.Gateway) (n int64) {
	for _, port := range g.Listens {
		n += port.Rescued
	}
	return n
}
