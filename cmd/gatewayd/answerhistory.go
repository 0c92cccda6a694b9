package main

import (
	"context"
	"strconv"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/revisions"
)

// History tells what was deployed.
func (d *daemon) History(_ context.Context, name string) (control.History, error) {
	if err := d.known(name); err != nil {
		return control.History{}, err
	}
	entry, _ := d.gateways.get(name)
	d.learn(entry)
	all, serving := entry.history.List()
	history := control.History{Revisions: make([]control.Revision, len(all))}
	for i, r := range all {
		history.Revisions[i] = describeRevision(r, serving, entry.file)
	}
	return history, nil
}

// Metrics tells programs how the gateways do.
func (d *daemon) Metrics(context.Context) (control.Text, error) {
	return control.Text(d.metrics.Text()), nil
}

func describeRevision(r revisions.Revision, serving int, file config.Gateway) control.Revision {
	state := string(r.Outcome)
	switch {
	case r.Number == serving:
		state = "serving"
	case r.Outcome == revisions.UnderWay:
		state = "under way"
	}
	described := control.Revision{
		Revision: strconv.Itoa(r.Number), When: r.When, Why: r.Why, State: state, Cause: r.Cause,
		Digest: r.Digest, Differs: r.Differs(),
	}
	if g, err := r.Gateway(file); err == nil {
		described.Source = g.Source()
	}
	return described
}
