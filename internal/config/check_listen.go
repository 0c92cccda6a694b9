package config

// The modes of a listen.
const (
	inherit = "inherit"
	proxy   = "proxy"
)

// mostListens bounds all listens of a file: each has nine sockets in systemd's
// fd store, which the unit file limits.
const mostListens = 64

var validListen = form(`[a-z0-9][a-z0-9_-]*`, 32)

func listenName(r *report, n *node) (string, bool) {
	s, ok := text(r, n)
	if ok && !validListen.fits(s) {
		r.value(n, "%s is no name of a listen: want up to 32 of a-z, 0-9, - and _, not - or _ first", quote(s))
		return "", false
	}
	return s, ok
}

// fillListens takes an array of tables. Every element gives a listen, also one
// at fault, so that the two have the same index.
func fillListens(r *report, n *node, into *Gateway) {
	if !n.isArray() {
		r.value(n, "want an array of tables, [[%s]], got %s", n.key(), kinds[n.kind])
		return
	}
	into.Listen = nil // of a key that is defined twice, the last one counts
	for _, element := range n.children {
		l := defaultListen()
		if listenKeys.fill(r, element, &l) {
			requireKeys(r, element, "name", "address")
		}
		into.Listen = append(into.Listen, l)
	}
}

func requireKeys(r *report, table *node, names ...string) {
	for _, name := range names {
		if table.find(name) == nil {
			r.key(table, "%s is missing", name)
		}
	}
}
