package main

import (
	"context"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/figures"
	"github.com/gatewayd/gatewayd/test/bench/service"
)

func (b *bench) measureDeploys(ctx context.Context) {
	for _, key := range b.columns(podman, none, created, warm) {
		c := b.result.column(key)
		if key == podman {
			b.again(ctx, c, "deploy", key, &c.Deploy, times(key, b.deploys), mixedLoad, restart)
			continue
		}
		b.again(ctx, c, "deploy", key+often, &c.Deploy, b.deploys, mixedLoad, b.deploy)
		b.again(ctx, c, "hard", key+hardly, &c.Hard, b.deploys, mixedLoad, b.deploy)
	}
}

func (b *bench) deploy(ctx context.Context, u *service.Unit) error {
	return u.Gatewayd(ctx, b.binary, "deploy", "web", "--wait")
}

func restart(ctx context.Context, u *service.Unit) error {
	if _, err := service.Systemctl(ctx, "restart", u.Name); err != nil {
		return u.Explain(ctx, err)
	}
	return settle(ctx, u)
}

func (b *bench) measureRestarts(ctx context.Context) {
	for _, key := range b.columns(columns...) {
		c := b.result.column(key)
		b.again(ctx, c, "restart", key, &c.Restart, b.restarts, freshLoad, restart)
	}
}

// again does one thing n times under load, each at a moment of its own.
func (b *bench) again(ctx context.Context, c *Column, row, unit string, t **Traffic, n int, args []string, do func(context.Context, *service.Unit) error) {
	u, err := b.start(ctx, unit)
	var took []float64
	if err == nil {
		var sum Traffic
		r, e := b.under(ctx, u, args, n, func(int) error {
			began := time.Now()
			defer func() { took = append(took, figures.Milliseconds(time.Since(began))) }()
			return do(ctx, u)
		})
		if err = e; err == nil {
			*t = (&sum).add(n, r)
			(*t).Each = took
		}
	}
	if err != nil {
		b.fail(c, row, err)
	}
	b.stop(ctx, unit)
}

// measureReexec asks the control socket all the time: how long it takes when
// gatewayd is replaced is what nobody looked after the gateways.
func (b *bench) measureReexec(ctx context.Context) {
	for _, key := range b.columns(none, created, warm) {
		c := b.result.column(key)
		var gaps []float64
		b.again(ctx, c, "reexec", key, &c.Reexec, b.reexecs, mixedLoad, func(ctx context.Context, u *service.Unit) error {
			gap, err := b.reexec(ctx, u)
			gaps = append(gaps, gap)
			return err
		})
		if c.Reexec != nil {
			c.Reexec.Each = gaps
		}
	}
}

func (b *bench) reexec(ctx context.Context, u *service.Unit) (longest float64, err error) {
	asking, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for asking.Err() == nil {
			began := time.Now()
			if _, err := u.Status(asking); err == nil {
				longest = max(longest, figures.Milliseconds(time.Since(began)))
			}
		}
	}()
	err = u.Gatewayd(ctx, b.binary, "reexec")
	if err == nil {
		err = settle(ctx, u)
	}
	cancel()
	<-done
	return longest, err
}
