package config

import "net/netip"

// checkClaims reports what would have to be bound twice, in all gateways.
func checkClaims(r *report, root *node) {
	var bound []*node
	count := 0
	for _, listen := range listens(root) {
		if count++; count > mostListens {
			r.key(listen, "is one of more than %d listens in all: each has nine sockets in systemd's fd store, which has room for these", mostListens)
			return
		}
		for _, key := range []string{"address", "to"} {
			n := listen.find(key)
			if n == nil || n.faulty {
				continue
			}
			checkClaim(r, n, bound)
			bound = append(bound, n)
		}
	}
}

func checkClaim(r *report, n *node, earlier []*node) {
	for _, other := range earlier {
		if collide(n, other) {
			line, _ := r.position(other.at)
			r.value(n, "%s excludes %s, %s in line %d", quote(n.text), quote(other.text), other.key(), line)
			return
		}
	}
}

// listens returns the tables of all listens, in the order of the file but for
// gateways whose tables are mixed.
func listens(root *node) []*node {
	var list []*node
	gateways := root.find("gateway")
	if gateways == nil {
		return nil
	}
	for _, gateway := range gateways.children {
		if array := gateway.find("listen"); array != nil && array.isArray() {
			list = append(list, array.children...)
		}
	}
	return list
}

// collide tells whether only one of two nodes can be bound. A program's socket
// and the port that is chosen for it are its launch's own; a fixed one is the
// host's, and proxied to itself a listen would never end.
func collide(n, other *node) bool {
	a, isPort := endpoint(n.text)
	b, otherIsPort := endpoint(other.text)
	if isPort && otherIsPort {
		return a.Port() != 0 && a.Port() == b.Port() && exclude(a.Addr(), b.Addr())
	}
	return n.name == "address" && other.name == "address" && n.text == other.text
}

// exclude follows bind(2) on one port: a wildcard and any address of its family
// exclude each other, and [::] is the wildcard of both families.
func exclude(a, b netip.Addr) bool {
	return a == b || covers(a, b) || covers(b, a)
}

func covers(wildcard, ip netip.Addr) bool {
	return wildcard.IsUnspecified() && (wildcard.Is6() || ip.Is4())
}
