package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/handover"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/internal/redact"
	"github.com/gatewayd/gatewayd/internal/revisions"
	"github.com/gatewayd/gatewayd/internal/secrets"
	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/internal/systemd"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// taking is a takeover under way.
type taking struct {
	*handover.Taken
	*handed
}

// takeOver finds out whether this is another image of a daemon that runs; nil:
// it is a daemon of its own.
func takeOver(o daemonOptions) (*taking, error) {
	if os.Getenv(handover.Variable) == "" {
		return nil, nil //nolint:nilnil // an ordinary start
	}
	// Before it is read: an exec has made the process open to others again.
	if err := secrets.Guard(); err != nil {
		return nil, err
	}
	t, err := handover.Take()
	if t == nil || err != nil {
		return nil, err
	}
	step.Done("image-replaced")
	h, err := readHanded(t)
	if err == nil && h.Name != o.name {
		err = fmt.Errorf("take over: the state is that of %s, not of %s", h.Name, o.name)
	}
	if err != nil {
		return nil, err
	}
	return &taking{t, h}, h.unguard()
}

// unguard: without secrets the process is like any other.
func (h *handed) unguard() error {
	if len(h.Secrets)+len(h.Environment) > 0 {
		return nil
	}
	return secrets.Unguard()
}

// hide comes first: what is said from here on must not show a secret.
func (t *taking) hide(secrets *redact.Set) {
	for _, v := range t.Secrets {
		secrets.Add(v.Name, v.Text)
	}
}

// regain takes hold of everything that the earlier image had, in place of open.
func (d *daemon) regain() error {
	if err := runtime.BecomeSubreaper(); err != nil {
		return err
	}
	cgroup, err := runtime.Delegated() // where the earlier image has moved us; to move again would take 8 ms
	if err != nil && os.Geteuid() != 0 {
		return err
	}
	dirs, err := launch.Directories(d.options.name, os.Geteuid(), d.env.get)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	if d.lock, err = dirs.Regain(d.taking.File(fileLock)); err != nil {
		return err
	}
	d.openHost(dirs, cgroup, self, listen.NewSockets(d.taking.sockets()))
	d.host.RestoreOverlays(d.taking.Overlays)
	d.unswept = d.taking.Unswept
	d.gateways.expect(d.taking.Longest)
	return d.regainRuntime()
}

// sockets are the listening ones, by the names that they have in systemd's store.
func (t *taking) sockets() map[string][]*os.File {
	sockets := make(map[string][]*os.File)
	for _, packed := range t.Names() {
		if name, ok := launch.SocketName(packed); ok {
			sockets[name] = append(sockets[name], t.File(packed))
		}
	}
	return sockets
}

// regainRuntime goes on with the copy of the runtime, or looks for one where the
// earlier image had none.
func (d *daemon) regainRuntime() error {
	program := d.taking.File(fileRuntime)
	if program == nil {
		d.openRuntime(d.taking.Runtime.Want)
		return nil
	}
	binary, err := runtime.Regain(d.taking.Runtime.Binary, program)
	if err != nil {
		return err
	}
	o := &opening{want: d.taking.Runtime.Want, opened: make(chan struct{}), binary: binary}
	o.runtime, o.err = runtime.Open(binary, d.runtimeOptions())
	close(o.opened)
	d.opening, d.host.Runtime = o, o.wait
	return o.err
}

// goOn adds the gateways as they were, then sweeps what none of them has.
func (d *daemon) goOn() error {
	ctx, cancel := context.WithTimeout(d.signals.context(), callTime)
	defer cancel()
	entries := make([]gateway, len(d.taking.Gateways))
	var ids []string
	for i, g := range d.taking.Gateways {
		entries[i] = d.regainGateway(ctx, g)
		ids = append(ids, g.Launcher.IDs()...)
	}
	if err := d.sweep(ids...); err != nil {
		return err
	}
	var errs []error
	for i, g := range d.taking.Gateways {
		errs = append(errs, d.supervisor.Add(supervisor.Gateway{
			Name: g.File.Name, Resume: &d.taking.Gateways[i].State,
			Launcher: entries[i].launcher, Prober: entries[i].launcher, Traffic: entries[i].launcher,
		}))
	}
	d.tellTakeover()
	d.taking.Close()
	go d.obeyStop()
	return errors.Join(errs...)
}

// regainGateway makes the launches of a gateway ours. What one of them lacks is
// the cause of its end, or comes again with the next.
func (d *daemon) regainGateway(ctx context.Context, g handedGateway) gateway {
	history, err := revisions.Open(d.host.Dirs.Revisions(), g.File.Name)
	if err != nil {
		d.log.Warn("the history of "+g.File.Name+" is lost", event("history-lost"), zap.String("gateway", g.File.Name), zap.Error(err))
	}
	entry := gateway{file: g.File, launcher: launch.NewLauncher(d.host), history: history}
	entry.defined = newDefined(entry.launcher)
	entry.defined.revisions, entry.defined.newest = g.Launcher.Revisions, g.Newest
	if err := entry.launcher.Resume(ctx, g.Launcher, d.taking.File); err != nil {
		d.log.Error(g.File.Name+": not all could be taken over", event("daemon-reexecuted"), zap.String("gateway", g.File.Name), zap.Error(err))
	}
	d.gateways.put(entry)
	return entry
}

// tellTakeover says it where people look.
func (d *daemon) tellTakeover() {
	now := time.Now()
	gap := now.Sub(d.taking.Held)
	d.takeover = &control.Takeover{
		Count: d.taking.Images, From: d.taking.Program, At: now, GapMS: float64(gap.Microseconds()) / 1000,
	}
	d.log.Info(fmt.Sprintf("gatewayd %s has become %s, after %s without supervision", d.taking.Program, version, gap.Round(10*time.Microsecond)),
		event("daemon-reexecuted"), zap.String("from", d.taking.Program), zap.String("to", version), zap.Float64("gap_ms", d.takeover.GapMS))
}

// obeyStop makes up for a SIGTERM of systemd that came between the images.
func (d *daemon) obeyStop() {
	if !d.env.systemd.Service || d.host.Cgroup == nil {
		return
	}
	ctx, cancel := context.WithTimeout(d.signals.context(), callTime)
	defer cancel()
	ending, err := systemd.Ending(ctx, path.Base(d.host.Cgroup.Path()), d.env.systemd.User, runtime.EnvironmentFor(d.env.list()))
	if ending {
		d.signals.end()
	}
	if err != nil && ctx.Err() == nil {
		d.log.Warn("whether gatewayd was asked to end while it was replaced is not known", event("daemon-reexecuted"), zap.Error(err))
	}
}

// readAnew brings the gateways to what the configuration says now. Those that
// were taken over go on as they were if it is faulty.
func (d *daemon) readAnew() {
	c, removed, err := d.apply(d.signals.context())
	switch {
	case c == nil:
		d.log.Error("configuration is faulty, what was taken over goes on", event("config-rejected"), zap.Error(err))
	case err != nil:
		d.log.Error("configuration is read, but not all of it is in force", event("config-reloaded"), zap.Error(err))
	}
	if err != nil {
		d.takeover.Config = strings.TrimSpace(err.Error())
	}
	if removed != nil {
		go func() { _ = removed() }() // events tell what comes of it
	}
}

// handedConfig is what stands for a configuration until the file is read.
func (t *taking) handedConfig() *config.Config {
	c := &config.Config{LogLevel: t.Level, Runtime: t.Runtime.Want}
	for _, g := range t.Gateways {
		c.Gateways = append(c.Gateways, g.File)
	}
	return c
}

// checkTakeover is what the hidden command takeover does: it reads the state of
// the daemon that has started it, and touches nothing.
func checkTakeover() error {
	if err := secrets.Guard(); err != nil { // of another process, which waits for this one
		return err
	}
	return handover.Answer(os.Stdout, version, func(t *handover.Taken) error {
		_, err := readHanded(t)
		return err
	})
}
