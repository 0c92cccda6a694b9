package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// reload makes the daemon what the configuration says now. A fault in it changes
// nothing. It returns when every change is under way and what was removed is
// gone.
func (d *daemon) reload(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	c, err := d.options.load(d.env)
	if err != nil {
		d.log.Error("configuration is faulty, nothing is changed", event("config-rejected"), zap.Error(err))
		return err
	}
	if level, err := zapcore.ParseLevel(c.LogLevel); err == nil {
		d.level.SetLevel(level)
	}
	removed := d.removeOthers(ctx, c)
	errs := []error{d.runtimeStays(c)}
	for _, g := range c.Gateways {
		errs = append(errs, d.update(ctx, g))
	}
	errs = append(errs, removed())
	if err := errors.Join(errs...); err != nil {
		d.log.Error("configuration is read, but not all of it is in force", event("config-reloaded"), zap.Error(err))
		return err
	}
	d.log.Info("configuration is read again", event("config-reloaded"), zap.Int("gateways", len(c.Gateways)))
	return nil
}

// runtimeStays: launches of one daemon share one runtime.
func (d *daemon) runtimeStays(c *config.Config) error {
	if c.Runtime == d.engine.want {
		return nil
	}
	return fmt.Errorf("runtime = %q takes effect when gatewayd is restarted; until then it stays %q", c.Runtime, d.engine.want)
}

// update brings one gateway to its configuration. One that is unchanged is left
// alone, unless it failed: what it lacked may be there now.
func (d *daemon) update(ctx context.Context, g config.Gateway) error {
	entry, ok := d.gateways.get(g.Name)
	if !ok {
		return d.add(g)
	}
	if entry.config.Revision() == g.Revision() && !d.failed(g.Name) {
		return nil
	}
	entry.launcher.Define(g)
	d.gateways.put(gateway{config: g, launcher: entry.launcher})
	return d.supervisor.Reconfigure(ctx, g.Name, g.Revision(), policy(g))
}

func (d *daemon) failed(name string) bool {
	for _, state := range d.supervisor.Status() {
		if state.Name == name {
			return state.Phase == supervisor.Failed
		}
	}
	return false
}

// removeOthers begins to remove the gateways that c does not have, all at once
// so that one that hangs does not hold the others up; what it returns waits.
func (d *daemon) removeOthers(ctx context.Context, c *config.Config) (wait func() error) {
	keep := make(map[string]bool, len(c.Gateways))
	for _, g := range c.Gateways {
		keep[g.Name] = true
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, name := range d.gateways.names() {
		if keep[name] {
			continue
		}
		group.Go(func() {
			err := d.removeGateway(ctx, name)
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

func (d *daemon) removeGateway(ctx context.Context, name string) error {
	if err := d.supervisor.Remove(ctx, name); err != nil {
		return fmt.Errorf("remove gateway %s: %w", name, err)
	}
	d.gateways.remove(name)
	return d.unhold(name)
}
