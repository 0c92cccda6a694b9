package config

import (
	"slices"
	"strings"
)

var gatewayName = form(`[a-z0-9][a-z0-9-]*`, 32)

// fillGateways takes any name, with the table of a gateway each.
func fillGateways(r *report, n *node, into *Config) {
	if !n.isTable() {
		r.value(n, "want tables [gateway.NAME], got %s", kinds[n.kind])
		return
	}
	for _, child := range n.children {
		if !gatewayName.fits(child.name) {
			r.key(child, "%s is no name of a gateway: want up to 32 of a-z, 0-9 and -, not - first", quote(child.name))
		}
		if !child.isTable() {
			r.value(child, "want a table [gateway.NAME] for each gateway, got %s", kinds[child.kind])
			continue
		}
		into.Gateways = append(into.Gateways, fillGateway(r, child))
	}
	slices.SortFunc(into.Gateways, func(a, b Gateway) int { return strings.Compare(a.Name, b.Name) })
}

func fillGateway(r *report, n *node) Gateway {
	g := defaultGateway(n.name)
	gatewayKeys.fill(r, n, &g)
	applyRules(r, n, &g)
	applyListenRules(r, n, &g)
	applySecretRules(r, n, &g)
	if g.Workdir == "" && g.Bundle == "" {
		g.Workdir = "/"
	}
	return g
}
