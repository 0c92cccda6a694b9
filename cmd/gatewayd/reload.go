package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/revisions"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// reload makes the daemon what the configuration says now, and returns the
// verdict when every change is under way and what was removed is gone. Whoever
// asked may stop waiting (the end of ctx); what was begun goes on.
func (d *daemon) reload(ctx context.Context) error {
	verdict := make(chan error, 1)
	go func() { verdict <- d.reloadWhole(context.WithoutCancel(ctx)) }()
	select {
	case err := <-verdict:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the reload, which goes on: %w", ctx.Err())
	}
}

// reloadWhole reads and applies the configuration. A fault in it changes nothing.
func (d *daemon) reloadWhole(ctx context.Context) error {
	c, removed, err := d.apply(ctx)
	if c == nil {
		d.log.Error("configuration is faulty, nothing is changed", event("config-rejected"), zap.Error(err))
		return err
	}
	// Not under the lock: a removal that hangs must not block the next reload.
	if err = errors.Join(err, removed()); err != nil {
		d.log.Error("configuration is read, but not all of it is in force", event("config-reloaded"), zap.Error(err))
		return err
	}
	d.log.Info("configuration is read again", event("config-reloaded"), zap.Int("gateways", len(c.Gateways)))
	return nil
}

// apply begins every change that the file asks for. c is nil when it is faulty.
func (d *daemon) apply(ctx context.Context) (c *config.Config, removed func() error, err error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if c, err = d.options.load(d.env); err != nil {
		return nil, nil, err
	}
	if level, err := zapcore.ParseLevel(c.LogLevel); err == nil {
		d.level.SetLevel(level)
	}
	if c.Runtime != d.opening.want {
		d.log.Warn(fmt.Sprintf("runtime = %q takes effect when gatewayd is restarted; until then it stays %q", c.Runtime, d.opening.want),
			event("config-reloaded"))
	}
	var errs []error
	for _, g := range c.Gateways {
		errs = append(errs, d.update(ctx, g))
	}
	// Not before: the addresses of those that go may be wanted by others, and nobody
	// is refused who comes meanwhile.
	gone := d.removeOthers(ctx, c)
	for _, g := range c.Gateways {
		d.lookAtSecrets(g.Name)
	}
	removed = func() error { return errors.Join(gone(), d.lacking(c)) }
	return c, removed, errors.Join(errs...)
}

// update brings one gateway to its configuration. One that is unchanged is left
// alone, and so is what a deploy or a rollback made of it, unless its source is
// another one now, or it failed: what it lacked may be there.
func (d *daemon) update(ctx context.Context, file config.Gateway) error {
	entry, ok := d.gateways.get(file.Name)
	if !ok {
		return d.add(file)
	}
	if entry.gone != nil {
		return fmt.Errorf("add gateway %s: the one that an earlier reload removed is still on its way out; reload again when it is gone", file.Name)
	}
	s, _ := d.state(file.Name)
	c := change{gateway: entry.defined.get(s.Revision), canary: file.Deploy.Canary, canaryFor: file.Deploy.CanaryFor}
	switch {
	case entry.file.Revision() != file.Revision():
		entry.file = file
		d.gateways.put(entry)
		c.why, c.gateway = "configuration changed", file
	case s.Phase == supervisor.Held:
		d.lookAtHold(ctx, s, true)
		return nil
	case s.Phase == supervisor.Failed:
		return d.startAgain(ctx, file.Name)
	case d.sourceChanged(ctx, entry, s):
		c.why = "source changed"
	case d.secretChanged(ctx, entry, s, anySource):
		c.why = "secret changed"
	default:
		return nil
	}
	if _, err := d.bring(ctx, entry, c); err != nil {
		return fmt.Errorf("change gateway %s: %w", file.Name, err)
	}
	return nil
}

// lacking tells which listeners the gateways of c do not have, also now that nobody
// is on the way out any more.
func (d *daemon) lacking(c *config.Config) error {
	var errs []error
	for _, g := range c.Gateways {
		if entry, ok := d.gateways.get(g.Name); ok {
			if err := entry.defined.lacking(); err != nil {
				errs = append(errs, fmt.Errorf("gateway %s: %w", g.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// startAsConfigured starts a stopped gateway with what the file says, if that came
// to nothing before: what it lacked may be there now that nothing of it runs.
func (d *daemon) startAsConfigured(ctx context.Context, name string) error {
	entry, _ := d.gateways.get(name)
	serving, _ := entry.history.Serving()
	refused, ok := entry.history.Refused(serving.Number)
	s, _ := d.state(name)
	if ok && s.Phase == supervisor.Stopped && refused.Outcome != revisions.RolledBack {
		if _, err := d.bring(ctx, entry, change{why: "start", gateway: entry.file}); err != nil {
			return err
		}
	}
	return d.supervisor.Start(ctx, name)
}

// startAgain returns when the supervisor has the request, not when the gateway
// is ready.
func (d *daemon) startAgain(ctx context.Context, name string) error {
	go func() { _ = d.supervisor.Start(context.WithoutCancel(ctx), name) }() // events tell what comes of it
	return d.supervisor.Answers(ctx)
}

// sourceChanged tells whether a launch that runs was made from another tree than
// the source is now.
func (d *daemon) sourceChanged(ctx context.Context, entry gateway, s supervisor.Status) bool {
	info := entry.launcher.Told(s.Launch)
	if info.Digest == "" || info.Cleaned || s.Deploying != nil {
		return false
	}
	digest, err := d.host.Digest(ctx, entry.defined.get(info.Revision))
	if err != nil {
		d.log.Warn(s.Name+": the source cannot be examined, what runs is left alone", event("source-changed"), zap.String("gateway", s.Name), zap.Error(err))
	}
	return err == nil && digest != "" && digest != info.Digest
}

// removeOthers begins to remove the gateways that c does not have, all at once
// so that one that hangs does not hold the others up; what it returns waits.
func (d *daemon) removeOthers(ctx context.Context, c *config.Config) (wait func() error) {
	var group sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, entry := range d.gateways.others(c) {
		entry.gone = make(chan struct{})
		d.gateways.put(entry)
		group.Go(func() {
			err := d.removeGateway(ctx, entry)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	return func() error {
		group.Wait()
		return errors.Join(errs...)
	}
}

// removeGateway returns when the gateway is gone. What could not be cleaned of
// it is an error, and the supervisor's to try again; the gateway is gone all
// the same.
func (d *daemon) removeGateway(ctx context.Context, entry gateway) error {
	defer close(entry.gone)
	name := entry.file.Name
	d.endHold(name)
	err := errors.Join(d.supervisor.Remove(ctx, name), entry.launcher.Close(), entry.history.Remove())
	if err != nil {
		err = fmt.Errorf("remove gateway %s: %w", name, err)
	}
	d.gateways.remove(name)
	d.metrics.Forget(name)
	return errors.Join(err, d.unhold(name))
}
