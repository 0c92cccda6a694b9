package main

import (
	"context"
	"fmt"

	"github.com/gatewayd/gatewayd/test/bench/figures"
	"github.com/gatewayd/gatewayd/test/bench/load"
	"github.com/gatewayd/gatewayd/test/bench/service"
)

// looks is how often memory is looked at: what Go's collector has not yet freed
// comes and goes.
const looks = 5

// idleConnections go through the proxy at once.
const idleConnections = 5000

func (b *bench) measureMemory(ctx context.Context) {
	for _, key := range []string{none, created, warm} { // one after the other: pages that two share count half
		c := b.result.column(key)
		for range looks {
			pss, err := b.pss(ctx, key)
			if err != nil {
				b.fail(c, "memory", err)
				break
			}
			c.PSS = append(c.PSS, pss)
		}
	}
	if err := b.proxied(ctx); err != nil {
		b.result.ProxiedFailed = oneLine(err)
		b.complain(fmt.Errorf("memory of proxied connections: %w", err))
	}
}

// pss is of a unit that has just been started, in bytes.
func (b *bench) pss(ctx context.Context, key string) (float64, error) {
	defer b.stop(ctx, key)
	u, err := b.start(ctx, key)
	if err != nil {
		return 0, err
	}
	usage, err := u.All(ctx)
	return float64(usage.PSS), err
}

func (b *bench) proxied(ctx context.Context) error {
	defer b.stop(ctx, proxyUnix)
	u, err := b.start(ctx, proxyUnix)
	if err != nil {
		return err
	}
	before, err := daemonRSS(ctx, u)
	if err != nil {
		return err
	}
	held, err := load.Hold(ctx, u.Address, idleConnections)
	if err != nil {
		return u.Explain(ctx, err)
	}
	defer held.Release()
	var after []float64
	for range looks {
		rss, err := daemonRSS(ctx, u)
		if err != nil {
			return err
		}
		after = append(after, rss)
	}
	b.result.Proxied = (figures.Median(after) - before) / idleConnections
	return nil
}

func daemonRSS(ctx context.Context, u *service.Unit) (float64, error) {
	usage, err := u.Daemon(ctx)
	return float64(usage.RSS), err
}
