package main

import (
	"context"
	"errors"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/systemd"
)

const (
	extendEvery  = 5 * time.Second
	extendBy     = 15 * time.Second // what systemd waits beyond the last word from us
	hurryEvery   = 100 * time.Millisecond
	shutdownTime = 30 * time.Second // beyond the longest stop timeout: kill, clean
)

// watch tells systemd how the gateways do, until the daemon is asked to end. It
// returns an error when not one gateway came up.
func (d *daemon) watch(c *config.Config) error {
	opened := d.engine.opened
	told := ""
	announced := false
	extend := time.NewTicker(extendEvery)
	defer extend.Stop()
	for {
		summary := systemd.Summarize(d.states())
		if !announced && summary.Verdict == systemd.NoneReady {
			return errors.Join(summary.Err, d.countFailure())
		}
		if !announced {
			d.extendStart(summary)
			announced = d.announce(summary)
			if announced {
				extend.Stop() // nothing wakes the daemon when nothing happens
			}
		}
		if summary.Status != told {
			told = summary.Status
			_ = d.notifier.Status(told)
		}
		select {
		case <-d.signals.context().Done():
			return nil
		case <-d.signals.reload:
			go d.reloadBySignal()
		case <-opened:
			if err := d.engine.failure(c); err != nil {
				return err
			}
			opened = nil
		case <-d.supervisor.Changed():
		case <-extend.C:
		}
	}
}

// announce says READY=1 when every gateway is settled.
func (d *daemon) announce(summary systemd.Summary) bool {
	if summary.Verdict == systemd.Waiting {
		return false
	}
	_ = d.notifier.Ready(summary.Status)
	_ = d.forgetFailures()
	d.log.Info("gatewayd is ready: "+summary.Status, event("daemon-ready"))
	if d.options.ready != nil {
		d.options.ready(d.engine.program(), d.Status(context.Background()).Gateways)
	}
	return true
}

// extendStart stretches systemd's start timeout for as long as a gateway may
// honestly still be starting.
func (d *daemon) extendStart(summary systemd.Summary) {
	if summary.Verdict == systemd.Waiting && !summary.Until.IsZero() {
		_ = d.notifier.Extend(time.Until(summary.Until) + extendBy)
	}
}

func (d *daemon) states() []systemd.GatewayState {
	all := d.supervisor.Status()
	states := make([]systemd.GatewayState, len(all))
	for i, s := range all {
		states[i] = systemd.GatewayState{
			Name: s.Name, Phase: string(s.Phase), Settled: s.Settled, Cause: s.Cause, ProbeError: s.ProbeError,
			Next: s.Next, StartDeadline: s.StartDeadline, Failures: s.Failures,
		}
	}
	return states
}

// reloadBySignal is a reload that nobody waits for but systemd.
func (d *daemon) reloadBySignal() {
	_ = d.notifier.Reloading("reading the configuration")
	_ = d.reload(d.signals.context()) // it has logged what was wrong
	_ = d.notifier.Ready(systemd.Summarize(d.states()).Status)
}

// shutdown stops every gateway. A second SIGTERM hurries.
func (d *daemon) shutdown() error {
	_ = d.notifier.Stopping("stopping the gateways")
	d.log.Info("gatewayd stops its gateways", event("daemon-stopping"))
	ctx, cancel := context.WithTimeout(context.Background(), d.longestStop()+shutdownTime)
	defer cancel()
	go d.attend(ctx)
	return d.supervisor.Shutdown(ctx)
}

func (d *daemon) longestStop() time.Duration {
	longest := time.Duration(0)
	for _, name := range d.gateways.names() {
		if entry, ok := d.gateways.get(name); ok {
			longest = max(longest, entry.config.Stop.Timeout)
		}
	}
	return longest
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
