package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// engine is the runtime of this daemon. It is looked for, copied and asked for
// its version while the first launches are staged: only their create waits.
type engine struct {
	want string // as configured

	opened chan struct{} // closed when the rest is known
	binary runtime.Binary
	engine *runtime.Runtime
	err    error
}

// openEngine begins to open the runtime that the configuration names.
func (d *daemon) openEngine(want string) {
	e := &engine{want: want, opened: make(chan struct{})}
	d.engine, d.host.Runtime = e, e.wait
	go func() {
		defer close(e.opened)
		ctx, cancel := context.WithTimeout(d.signals.context(), callTime)
		defer cancel()
		if e.binary, e.err = runtime.Find(ctx, want, d.youkiPlaces()); e.err != nil {
			return
		}
		options := runtime.Options{Root: d.host.Dirs.RuntimeRoot(), CallTimeout: callTime}
		if e.engine, e.err = runtime.Open(e.binary, options); e.err == nil {
			d.log.Info(fmt.Sprintf("runtime %s %s at %s: %s", e.binary.Name, e.binary.Version, e.binary.Path, e.binary.Why), event("runtime-chosen"))
		}
	}()
}

// wait is the launch.Host's Runtime.
func (e *engine) wait(ctx context.Context) (*runtime.Runtime, error) {
	select {
	case <-e.opened:
		return e.engine, e.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the runtime: %w", ctx.Err())
	}
}

// program is what was found; nothing, while that is not known.
func (e *engine) program() runtime.Binary {
	select {
	case <-e.opened:
		return e.binary
	default:
		return runtime.Binary{}
	}
}

// failure is what keeps the daemon from running: without a runtime it fails
// closed. Gateways that want no container go on, and the others fail alone. A
// runtime that was only slow to answer, as on a cold disk, may do so next time.
func (e *engine) failure(c *config.Config) error {
	bare := slices.ContainsFunc(c.Gateways, func(g config.Gateway) bool { return g.Isolation.Bare })
	switch {
	case e.err == nil || bare || len(c.Gateways) == 0:
		return nil
	case errors.Is(e.err, context.DeadlineExceeded) || errors.Is(e.err, context.Canceled):
		return e.err
	}
	return codeError{exitConfig, e.err}
}

// youkiPlaces are where make install and make setup put youki.
func (d *daemon) youkiPlaces() []string {
	places := []string{
		filepath.Join(filepath.Dir(filepath.Dir(d.host.Self)), "libexec", "gatewayd", "youki"),
		"youki", // the fixed PATH
	}
	if home := d.env.get("HOME"); filepath.IsAbs(home) {
		places = append(places, filepath.Join(home, ".cache", "gatewayd", "youki-0.7.0", "bin", "youki"))
	}
	return places
}
