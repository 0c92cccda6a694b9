package main

import (
	"context"
	"fmt"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/revisions"
)

// Rollback brings back the revision that served before the one that does.
func (d *daemon) Rollback(ctx context.Context, name string, r control.RollbackRequest) (control.Deployed, error) {
	entry, err := d.deployable(name)
	if err != nil {
		return control.Deployed{}, err
	}
	d.learn(entry)
	before, ok := entry.history.Before()
	if !ok {
		return control.Deployed{}, fmt.Errorf("roll back %s: no earlier revision has served", name)
	}
	g, err := before.Gateway(entry.file)
	if err == nil {
		err = d.sameSource(ctx, before, g)
	}
	if err != nil {
		return control.Deployed{}, fmt.Errorf("roll back %s to revision %d: %w", name, before.Number, err)
	}
	return d.deliver(ctx, entry, change{why: "rollback to " + number(before.Number), gateway: g, until: until(r.Wait)})
}

// sameSource refuses to bring back a revision whose source is another one now:
// what came would be neither the old one nor the new one.
func (d *daemon) sameSource(ctx context.Context, r revisions.Revision, g config.Gateway) error {
	if r.Digest == "" {
		return nil // nobody looked at it
	}
	digest, err := d.host.Digest(ctx, g)
	if err == nil && digest != "" && digest != r.Digest {
		err = fmt.Errorf("its source %s has changed in place: it was %s and is %s; install what it was at a path of its own, and deploy that", g.Source(), r.Digest, digest)
	}
	return err
}
