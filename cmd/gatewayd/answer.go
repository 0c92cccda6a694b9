package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// The methods here make the daemon a control.Daemon.

// Status answers from memory.
func (d *daemon) Status(context.Context) control.Report {
	states := d.supervisor.Status()
	report := control.Report{Version: version, Pid: os.Getpid(), Gateways: make([]control.Gateway, len(states)), Leftovers: d.unswept, Takeover: d.takeover}
	for i, state := range states {
		report.Gateways[i] = d.describeGateway(state)
	}
	return report
}

func (d *daemon) describeGateway(s supervisor.Status) control.Gateway {
	entry, _ := d.gateways.get(s.Name)
	now := entry.defined.get(s.Revision)
	g := control.Gateway{
		Name: s.Name, Phase: string(s.Phase), Since: s.Since, Ready: s.Phase == supervisor.Ready,
		Launch: s.Launch, Restarts: s.Restarts, Failures: s.Failures, Revision: s.Revision,
		CauseAt: s.CauseAt, Next: s.Next,
		Cause: text(s.Cause), ProbeError: text(s.ProbeError),
		Bare: now.Isolation.Bare,
	}
	d.describeTraffic(&g, entry, s)
	for _, left := range s.Leftovers {
		g.Leftovers = append(g.Leftovers, left.Error())
	}
	if entry.launcher != nil {
		describeLaunch(&g, entry.launcher, s.Launch)
	}
	if !g.Bare {
		binary := d.opening.program()
		g.Runtime, g.RuntimeVersion, g.RuntimePath = binary.Name, binary.Version, binary.Path
		g.RuntimeChanged = d.lookAtRuntime()
	}
	return g
}

// describeLaunch tells of launch n, while there is something of it, what it is:
// the configuration may have changed since. Before and after that it tells what
// the next one will be.
func describeLaunch(g *control.Gateway, l *launch.Launcher, n int) {
	g.Posture = l.Posture()
	info := l.Told(n)
	if info.ID == "" || info.Cleaned {
		return
	}
	g.ID, g.Pid, g.Bare = info.ID, info.Pid, info.Bare
	g.Stage, g.StageReason, g.Digest, g.IDs, g.SourceChanged = info.Stage, info.StageReason, info.Digest, info.IDs, info.SourceChanged
	if info.Posture != "" {
		g.Posture = info.Posture
		g.VerifiedAt, g.Differs, g.Unseen = info.Verified, findings(info.Differs), info.Unseen
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Start ends an operator's stop, a backoff or a failure.
func (d *daemon) Start(ctx context.Context, name string) error {
	return d.resume(ctx, name, d.startAsConfigured)
}

// Restart gives a gateway a new launch.
func (d *daemon) Restart(ctx context.Context, name string) error {
	return d.resume(ctx, name, d.supervisor.Restart)
}

func (d *daemon) resume(ctx context.Context, name string, how func(context.Context, string) error) error {
	if err := d.known(name); err != nil {
		return err
	}
	if err := d.unhold(name); err != nil {
		return err
	}
	d.endHold(name)
	return how(ctx, name)
}

// Stop holds until Start, also over a restart: it is written down first, so
// that a crash in between does not undo it.
func (d *daemon) Stop(ctx context.Context, name string) error {
	if err := d.known(name); err != nil {
		return err
	}
	held := d.hold(name) // a disk that is full is no reason to let it run, which may be what fills it
	d.endHold(name)
	return errors.Join(d.supervisor.Stop(ctx, name), held)
}

func (d *daemon) known(name string) error {
	if _, ok := d.gateways.get(name); !ok {
		return &control.Error{Code: control.CodeUnknownGateway, Message: fmt.Sprintf("no gateway is called %q", name)}
	}
	return nil
}

// Reload reads the configuration again and returns the verdict.
//
// An upgraded binary reads it: then Reload does not return, the client hears
// nothing, and asks the new image. Where that refuses, this one reads it.
func (d *daemon) Reload(ctx context.Context) error {
	var refused error
	if d.upgraded() {
		refused = d.Reexec(ctx)
	}
	err := errors.Join(d.reload(ctx), refused)
	if err != nil && exitCode(err) == exitConfig {
		return &control.Error{Code: control.CodeConfig, Message: err.Error()}
	}
	return err
}
