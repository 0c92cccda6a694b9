package main

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/test/bench/figures"
	"github.com/gatewayd/gatewayd/test/bench/load"
	"github.com/gatewayd/gatewayd/test/bench/service"
)

// looks is how often memory is looked at: what Go's collector has not yet freed
// comes and goes.
const looks = 5

// idle is how many connections go through the proxy at once: 5,000, or what a
// process may have here, of which gatewayd leaves itself some.
func idle() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 100
	}
	return int(min(5000, r.Max/5-100))
}

func (b *bench) measureMemory(ctx context.Context) {
	for _, key := range b.columns(none, created, warm) {
		c := b.result.column(key)
		for range looks {
			own, err := b.own(ctx, key)
			if err != nil {
				b.fail(c, "memory", err)
				c.Memory = nil
				break
			}
			c.Memory = append(c.Memory, own)
		}
	}
	if err := b.proxied(ctx); err != nil {
		b.result.ProxiedFailed = oneLine(err)
		b.complain(fmt.Errorf("memory of proxied connections: %w", err))
	}
}

// own is what all processes of a unit have that has just been started, in bytes.
func (b *bench) own(ctx context.Context, key string) (float64, error) {
	defer b.stop(ctx, key)
	u, err := b.start(ctx, key)
	if err != nil {
		return 0, err
	}
	usage, err := u.All(ctx)
	return float64(usage.Own), err
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
	n := idle()
	held, err := load.Hold(ctx, u.Address, n)
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
	b.result.Proxied, b.result.Idle = (figures.Median(after)-before)/float64(n), n
	return nil
}

func daemonRSS(ctx context.Context, u *service.Unit) (float64, error) {
	usage, err := u.Daemon(ctx)
	return float64(usage.RSS), err
}
