package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/figures"
	"github.com/gatewayd/gatewayd/test/bench/service"
)

// bench is one run: what it has made, and the columns that it fills.
type bench struct {
	dir     string // of its own, below the user's cache directory
	units   string // where unit files go
	columns []*column
	guarded *column // in no table
}

// setUp makes the files of all columns. A bench that is returned beside an error
// still has to be cleaned up.
func setUp(ctx context.Context, o options) (*bench, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, err
	}
	b := &bench{units: service.Directory()}
	if b.dir, err = os.MkdirTemp(cache, service.Prefix); err != nil {
		return nil, err
	}
	if err := b.define(ctx, o.binary); err != nil {
		return b, err
	}
	for _, c := range append(b.columns, b.guarded) {
		if err := c.Write(b.units); err != nil {
			return b, err
		}
	}
	_, err = service.Systemctl(ctx, "daemon-reload")
	return b, err
}

func (b *bench) define(ctx context.Context, binary string) error {
	trees := make([]string, 2) // podman makes directories in its own
	for i, name := range []string{"rootfs", "podman-rootfs"} {
		trees[i] = filepath.Join(b.dir, name)
		if err := os.Mkdir(trees[i], 0o755); err != nil {
			return err
		}
		if err := service.Stage(binary, filepath.Join(trees[i], "gatewayd")); err != nil {
			return err
		}
	}
	watched, err := gatewayd(ctx, keyGatewayd, b.dir, trees[0], "127.0.0.1:18093", true)
	if err != nil {
		return err
	}
	quiet, err := gatewayd(ctx, keyNoProbe, b.dir, trees[0], "127.0.0.1:18094", false)
	if err != nil {
		return err
	}
	quiet.Figures.Name, quiet.idleOnly = "gatewayd without a probe", true
	if b.guarded, err = guarded(ctx, b.dir, trees[0], "127.0.0.1:18095"); err != nil {
		return err
	}
	b.columns = []*column{bare(binary, "127.0.0.1:18091"), podman(trees[1], "127.0.0.1:18092"), watched, quiet}
	return nil
}

// try runs each column once, unmeasured: caches are warm for all afterwards, and
// podman is left out, with the reason, where it does not run.
func (b *bench) try(ctx context.Context) {
	for _, c := range b.columns {
		if c.Key != keyPodman {
			continue // without these there is nothing to print; round says why
		}
		if _, err := exec.LookPath("podman"); err != nil {
			c.Skipped = "podman is not installed"
		} else if err := c.once(ctx); err != nil {
			c.Skipped = "podman does not run here: " + err.Error()
		}
	}
}

// once starts and stops c.
func (c *column) once(ctx context.Context) error {
	_, err := c.Unit.Start(ctx)
	return errors.Join(err, c.Stop(ctx))
}

// round takes one start and one restart of each column, each alone.
func (b *bench) round(ctx context.Context) error {
	for _, c := range b.columns {
		if c.Skipped != "" || c.idleOnly {
			continue
		}
		if err := c.sample(ctx); err != nil {
			return fmt.Errorf("measure %s: %w", c.Figures.Name, err)
		}
	}
	return nil
}

func (c *column) sample(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, c.Stop(ctx)) }()
	started, err := c.Unit.Start(ctx)
	if err != nil {
		return err
	}
	// Longer than gatewayd's reset_after, the same for all.
	if err := service.Pause(ctx, 1500*time.Millisecond); err != nil {
		return err
	}
	killed, err := c.Kill(ctx)
	if err != nil {
		return err
	}
	c.Figures.Start, c.Restart = append(c.Figures.Start, figures.Milliseconds(started)), append(c.Restart, figures.Milliseconds(killed.Took))
	return nil
}

// watch runs all columns at once and takes what idleness costs.
func (b *bench) watch(ctx context.Context, d time.Duration) (err error) {
	var running []*column
	defer func() {
		for _, c := range running {
			err = errors.Join(err, c.Stop(ctx))
		}
	}()
	for _, c := range b.columns {
		if c.Skipped != "" {
			continue
		}
		running = append(running, c)
		if _, err := c.Unit.Start(ctx); err != nil {
			return fmt.Errorf("start %s: %w", c.Figures.Name, err)
		}
	}
	// What a start leaves to do is no idleness.
	if err := service.Pause(ctx, 5*time.Second); err != nil {
		return err
	}
	before := make([]service.Usage, len(running))
	for i, c := range running {
		if before[i], err = c.Supervisor(ctx); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := service.Pause(ctx, d); err != nil {
		return err
	}
	for i, c := range running {
		after, err := c.Supervisor(ctx)
		if err != nil {
			return err
		}
		c.Idle = idleness(before[i], after, time.Since(began))
	}
	return nil
}

// cleanUp stops every unit and removes all that setUp has made.
func (b *bench) cleanUp(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, c := range append(b.columns, b.guarded) {
		if c != nil {
			errs = append(errs, c.Stop(ctx), c.Remove(b.units))
		}
	}
	_, err := service.Systemctl(ctx, "daemon-reload")
	return errors.Join(append(errs, err, os.RemoveAll(b.dir))...)
}
