package main

import (
	"context"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/held"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// print is what the next launch of a gateway would be made from. changed: that is
// known to be something else than the last one was.
func (d *daemon) print(ctx context.Context, entry gateway, s supervisor.Status, whole bool) (p held.Print, changed string) {
	g := entry.defined.get(s.Revision)
	p.Config = g.Revision()
	source, rest, err := d.host.Package(ctx, g)
	switch had := entry.launcher.Told(s.Launch).Digest; {
	case err != nil:
		// One that is being replaced is not there for a moment: it is looked at again.
	case source != "" && had != "" && source != had:
		return p, "source"
	default:
		p.Source = source + "+" + rest
	}
	if whole {
		p.Values = d.printValues(ctx, g)
	}
	return p, ""
}

// printValues tells the values apart that a launch gets from outside of the
// configuration.
func (d *daemon) printValues(ctx context.Context, g config.Gateway) string {
	values := d.host.Values(ctx, g)
	print, err := d.holding.store.Seal(g.Name, values...)
	for _, value := range values {
		clear(value)
	}
	d.tellLost(g.Name, err)
	return print
}
