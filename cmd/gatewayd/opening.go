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

// opening is the runtime of this daemon on its way. It is looked for, copied and
// asked for its version while the first launches are staged: only their create
// waits.
type opening struct {
	want string // as configured

	opened  chan struct{} // closed when the rest is known
	binary  runtime.Binary
	runtime *runtime.Runtime
	err     error

	file runtimeFile
}

// openRuntime begins to open the runtime that the configuration names.
func (d *daemon) openRuntime(want string) {
	o := &opening{want: want, opened: make(chan struct{})}
	d.opening, d.host.Runtime = o, o.wait
	go func() {
		defer close(o.opened)
		ctx, cancel := context.WithTimeout(d.signals.context(), callTime)
		defer cancel()
		if o.binary, o.err = runtime.Find(ctx, want, d.youkiPlaces()); o.err != nil {
			return
		}
		if d.awaitEntered() == nil && d.host.Cgroup != nil {
			d.host.Cgroup.HandDown() // the program that was asked has ended
		}
		options := d.runtimeOptions()
		if o.runtime, o.err = runtime.Open(o.binary, options); o.err == nil {
			d.log.Info(fmt.Sprintf("runtime %s %s at %s: %s", o.binary.Name, o.binary.Version, o.binary.Path, o.binary.Why), event("runtime-chosen"))
		}
	}()
}

func (d *daemon) runtimeOptions() runtime.Options {
	return runtime.Options{Root: d.host.Dirs.RuntimeRoot(), CallTimeout: callTime, Shown: d.redact.String}
}

// wait is the launch.Host's Runtime.
func (o *opening) wait(ctx context.Context) (*runtime.Runtime, error) {
	select {
	case <-o.opened:
		return o.runtime, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the runtime: %w", ctx.Err())
	}
}

// program is what was found; nothing, while that is not known.
func (o *opening) program() runtime.Binary {
	select {
	case <-o.opened:
		return o.binary
	default:
		return runtime.Binary{}
	}
}

// failure is what keeps the daemon from running: without a runtime it fails
// closed. Gateways that want no container go on, and the others fail alone. A
// runtime that was only slow to answer, as on a cold disk, may do so next time.
func (o *opening) failure(c *config.Config) error {
	bare := slices.ContainsFunc(c.Gateways, func(g config.Gateway) bool { return g.Isolation.Bare })
	switch {
	case o.err == nil || bare || len(c.Gateways) == 0:
		return nil
	case errors.Is(o.err, context.DeadlineExceeded) || errors.Is(o.err, context.Canceled):
		return o.err
	}
	return codeError{exitConfig, o.err}
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
