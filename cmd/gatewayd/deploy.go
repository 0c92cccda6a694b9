package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/revisions"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// A change is a new revision of a gateway on its way.
type change struct {
	why       string
	gateway   config.Gateway
	canary    int
	canaryFor time.Duration
	until     supervisor.DeployUntil
}

// bring deploys a change and returns its revision. When ctx ends first the
// deploy goes on.
func (d *daemon) bring(ctx context.Context, entry gateway, c change) (revision string, err error) {
	name := entry.file.Name
	n := entry.history.Add(c.why, c.gateway, entry.file)
	d.save(entry)                                         // a number that was used is not used again, whatever happens
	release, _ := entry.defined.add(number(n), c.gateway) // what it says is the cause of the launch's end
	d.gateways.expect(c.gateway.Stop.Timeout)
	d.endHold(name)
	answered := make(chan error, 1)
	go func() {
		err := d.supervisor.Deploy(context.WithoutCancel(ctx), name, supervisor.Deployment{
			Revision: number(n), Policy: d.policy(c.gateway), Why: c.why,
			Canary: c.canary, CanaryFor: c.canaryFor, Until: c.until,
		})
		d.settle(entry, n, err)
		release()
		d.write()
		answered <- err
	}()
	select {
	case err := <-answered:
		return number(n), err
	case <-ctx.Done():
		return number(n), fmt.Errorf("wait for revision %d of %s, whose deploy goes on: %w", n, name, ctx.Err())
	}
}

// settle notes what no event tells: that a stopped gateway has the revision for
// its next start, or that a request came to nothing.
func (d *daemon) settle(entry gateway, n int, err error) {
	s, _ := d.state(entry.file.Name)
	switch {
	case s.Revision == number(n):
		entry.history.Serve(n)
	case err != nil && (s.Deploying == nil || s.Deploying.Revision != number(n)):
		if r, ok := entry.history.Get(n); ok && r.Outcome == revisions.UnderWay {
			entry.history.Settle(n, outcome(err), err.Error())
		}
	}
}

// outcome tells what failed from what nobody has seen the end of: the next
// gatewayd tries that again, if the configuration asks for it.
func outcome(err error) revisions.Outcome {
	switch {
	case errors.Is(err, supervisor.ErrRolledBack):
		return revisions.RolledBack
	case errors.Is(err, supervisor.ErrSuperseded) || errors.Is(err, supervisor.ErrShutdown):
		return revisions.Interrupted
	}
	return revisions.Failed
}

// Deploy brings what the configuration says, or the same with another source.
func (d *daemon) Deploy(ctx context.Context, name string, r control.DeployRequest) (control.Deployed, error) {
	entry, err := d.deployable(name)
	if err != nil {
		return control.Deployed{}, err
	}
	c := change{why: "deploy", gateway: entry.file, canary: entry.file.Deploy.Canary, canaryFor: entry.file.Deploy.CanaryFor, until: until(r.Wait)}
	if r.Rootfs != "" || r.Bundle != "" {
		if c.gateway, err = entry.file.WithSource(r.Rootfs, r.Bundle); err != nil {
			return control.Deployed{}, refuse("deploy %s: %w", name, err)
		}
	}
	if r.Canary != nil {
		c.canary = *r.Canary
	}
	if r.CanaryFor > 0 {
		c.canaryFor = time.Duration(r.CanaryFor)
	}
	if err := c.checkCanary(); err != nil {
		return control.Deployed{}, refuse("deploy %s: %w", name, err)
	}
	return d.deliver(ctx, entry, c)
}

func (c change) checkCanary() error {
	switch {
	case c.canary < 0 || c.canary > 99:
		return fmt.Errorf("canary %d %%: want 0 to 99", c.canary)
	case c.canary > 0 && !c.gateway.Overlaps():
		return errors.New("a canary wants two launches side by side, which this gateway cannot have (see its listen and to)")
	}
	return nil
}

// deployable is a gateway that there is something to deploy beside.
func (d *daemon) deployable(name string) (gateway, error) {
	if err := d.known(name); err != nil {
		return gateway{}, err
	}
	entry, _ := d.gateways.get(name)
	if s, ok := d.state(name); !ok || s.Phase == supervisor.Stopped {
		return gateway{}, fmt.Errorf("deploy %s: it is stopped; gatewayd start %s first", name, name)
	}
	return entry, nil
}

// deliver is bring, and tells how it went. What it tells is written down before:
// a gatewayd that is killed the next moment is followed by one that knows of it.
func (d *daemon) deliver(ctx context.Context, entry gateway, c change) (control.Deployed, error) {
	before, _ := entry.history.Serving()
	revision, err := d.bring(ctx, entry, c)
	d.save(entry)
	if err != nil {
		return control.Deployed{}, d.explain(entry, revision, err)
	}
	answer := control.Deployed{Revision: revision, Source: c.gateway.Source()}
	if g, err := before.Gateway(entry.file); err == nil && before.Differs() && g.Source() != answer.Source {
		answer.Ended = g.Source()
	}
	return answer, nil
}

// explain says what serves after a deploy that failed.
func (d *daemon) explain(entry gateway, revision string, err error) error {
	s, _ := d.state(entry.file.Name)
	switch {
	case d.signals.context().Err() != nil:
		return fmt.Errorf("gatewayd is about to end: %w", err)
	case errors.Is(err, supervisor.ErrRolledBack):
		return &control.Error{Code: control.CodeRolledBack, Message: fmt.Sprintf("%v; revision %s is back", err, s.Revision)}
	case errors.Is(err, context.Canceled) || errors.Is(err, supervisor.ErrSuperseded) || s.Revision == revision:
		return err
	case s.Phase == supervisor.Ready:
		return fmt.Errorf("%w; nothing has changed: revision %s still serves", err, s.Revision)
	}
	return fmt.Errorf("%w; revision %s is brought back", err, s.Revision)
}

func until(wait bool) supervisor.DeployUntil {
	if wait {
		return supervisor.Proved
	}
	return supervisor.Switched
}

// refuse says that a request makes no sense.
func refuse(format string, args ...any) error {
	return &control.Error{Code: control.CodeRequest, Message: fmt.Errorf(format, args...).Error()}
}
