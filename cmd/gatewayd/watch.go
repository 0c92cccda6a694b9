package main

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/systemd"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

const (
	extendEvery  = 5 * time.Second
	extendBy     = 15 * time.Second // what systemd waits beyond the last word from us
	gcPercent    = 25
	hurryEvery   = 100 * time.Millisecond
	settleTime   = 200 * time.Millisecond // an answer that takes longer comes from a program that has the connection
	shutdownTime = 6 * callTime           // beyond the longest stop timeout: three kills, a clean, and some
)

// watch tells systemd how the gateways do, until the daemon is asked to end. It
// returns an error when not one gateway came up.
func (d *daemon) watch(c *config.Config) error {
	opened := d.opening.opened
	reloaded := make(chan struct{}, 1)
	status := statusLine{notifier: d.notifier}
	extend := time.NewTicker(extendEvery)
	defer extend.Stop()
	if d.taking != nil {
		d.announceAgain()
	}
	for {
		summary := d.summary()
		if !d.announced {
			if summary.Verdict == systemd.NoneReady {
				return summary.Err
			}
			d.announce(summary)
			if d.announced {
				extend.Stop() // nothing wakes the daemon when nothing happens
			}
		}
		status.want(summary.Status, !d.announced)
		select {
		case <-d.signals.context().Done():
			return nil
		case f := <-d.onMain:
			f()
		case answer := <-d.reexecs:
			d.serveReexec(answer)
		case <-d.signals.reload:
			d.tellReloading()
			announced := d.announced
			go func() {
				if announced && d.upgraded() {
					_ = d.reexec() // it has logged what is wrong, and this gatewayd reads the configuration
				}
				_ = d.reload(d.signals.context()) // the same
				reloaded <- struct{}{}
			}()
		case <-reloaded:
			d.tellReloaded(summary.Status)
		case <-opened:
			if err := d.opening.failure(c); err != nil {
				return err
			}
			opened = nil
		case <-d.supervisor.Changes():
		case <-extend.C:
		case <-status.due:
			status.tell()
		}
	}
}

func (d *daemon) summary() systemd.Summary { return systemd.Summarize(d.states()) }

// announceAgain ends for systemd what the earlier image has begun by RELOADING=1.
func (d *daemon) announceAgain() {
	d.announced, d.taking = true, nil // what was handed over is in use, or of none
	d.settleDown()
	_ = d.notifier.Ready(d.summary().Status)
	d.confirming.Go(func() {
		d.confirmOverlays()
		debug.FreeOSMemory() // what starting took is mostly not needed again
	})
}

// announce says READY=1 when every gateway is settled. Until then it stretches
// systemd's start timeout, for as long as a gateway may honestly be starting.
func (d *daemon) announce(summary systemd.Summary) {
	if summary.Verdict == systemd.Waiting {
		_ = d.notifier.Extend(max(0, time.Until(summary.Until)) + extendBy)
		return
	}
	d.announced = true
	d.settleDown()
	_ = d.notifier.Ready(summary.Status)
	_ = d.forgetFailures()
	d.log.Info("gatewayd is ready: "+summary.Status, event("daemon-ready"))
	d.confirming.Go(func() {
		d.confirmOverlays()
		debug.FreeOSMemory() // what starting took is mostly not needed again
	})
	if d.options.ready != nil {
		d.options.ready(d.opening.program(), d.Status(context.Background()).Gateways)
	}
}

// settleDown is for when all is up. The heap is a few megabytes and mostly rubbish of
// launches: from now on, collecting it early costs next to nothing and keeps a small
// daemon small. And threads are made that would be missed when there are no more.
func (d *daemon) settleDown() {
	debug.SetGCPercent(gcPercent)
	go makeSpareThreads(spareThreads)
}

// confirmOverlays tries again what an earlier gatewayd has found, now that
// nobody waits for it.
func (d *daemon) confirmOverlays() {
	ctx, cancel := context.WithTimeout(d.signals.context(), sweepTime)
	defer cancel()
	if err := d.host.Confirm(ctx); err != nil && ctx.Err() == nil {
		d.log.Warn("whether overlays work cannot be tried again", event("overlay-tried"), zap.Error(err))
	}
}

// tellReloading and tellReloaded frame a reload that a SIGHUP asked for. They
// belong to the watch alone: READY=1 before the first announcement would be a
// lie, and after STOPPING=1 it would come too late.
func (d *daemon) tellReloading() {
	if d.announced {
		_ = d.notifier.Reloading("reading the configuration")
	}
}

func (d *daemon) tellReloaded(status string) {
	if d.announced {
		_ = d.notifier.Ready(status)
	}
}

func (d *daemon) states() []systemd.GatewayState {
	all := d.supervisor.Status()
	states := make([]systemd.GatewayState, len(all))
	for i, s := range all {
		states[i] = systemd.GatewayState{
			Name: s.Name, Phase: string(s.Phase), Settled: s.Settled, Cause: s.Cause, ProbeError: s.ProbeError,
			Next: s.Next, StartDeadline: s.StartDeadline, Failures: s.Failures, Deploying: s.Deploying != nil,
		}
	}
	return states
}

// shutdown stops every gateway. A second SIGTERM hurries.
func (d *daemon) shutdown() error {
	_ = d.notifier.Stopping("stopping the gateways")
	d.log.Info("gatewayd stops its gateways", event("daemon-stopping"))
	ctx, cancel := context.WithTimeout(context.Background(), d.gateways.longestStop()+shutdownTime)
	defer cancel()
	go d.attend(ctx)
	for _, entry := range d.gateways.all() {
		entry.launcher.Leave()
	}
	d.settleProxies()
	err := d.supervisor.Shutdown(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, supervisor.ErrRunning) {
		// Every gateway has ended as asked. What could not be removed is for
		// the unit's ExecStopPost= and the next start.
		d.log.Warn("something of the gateways is left, which the next sweep removes", event("clean-incomplete"), zap.Error(err))
		return nil
	}
	return err
}

// settleProxies lets the programs behind proxies take up what was accepted for them.
func (d *daemon) settleProxies() {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	for _, entry := range d.gateways.all() {
		entry.launcher.Settle(ctx)
	}
}

// attend keeps systemd patient while the gateways stop, and hurries them at a
// second SIGTERM.
func (d *daemon) attend(ctx context.Context) {
	extend := time.NewTicker(extendEvery)
	defer extend.Stop()
	_ = d.notifier.Extend(extendBy)
	hurry := d.signals.hurry
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-extend.C:
			_ = d.notifier.Extend(extendBy)
		case <-hurry:
			hurry = nil
			d.log.Warn("asked twice to end: gateways are killed now", event("daemon-stopping"))
			again = time.Tick(hurryEvery)
			d.supervisor.Hurry()
		case <-again:
			// It hurries only who is stopping: a gateway that had not even
			// been asked to stop at the second signal is reached by now.
			d.supervisor.Hurry()
		}
	}
}
