package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reserved are the names by which gatewayd and the gateway talk. Passed on,
// the gateway would speak to systemd in gatewayd's place, or take sockets that
// are not its own.
var reserved = []string{"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC", "GATEWAYD_LAUNCH"}

// fillEnv fills the environment and judges each name that it lists.
func fillEnv(r *report, n *node, into *Gateway) {
	if !envKeys.fill(r, n, &into.Env) {
		return
	}
	listed := map[string]*node{}
	for _, name := range envNames(n) {
		s := name.listedName()
		first, twice := listed[s]
		switch {
		case !envName.MatchString(s):
			r.key(name, "%s is no name of an environment variable: want letters, digits and _, not a digit first", quote(onlyName(s)))
		case slices.Contains(reserved, s):
			r.key(name, "%s is set by gatewayd itself", s)
		case twice && first.parent == name.parent && name.name != "":
			// One table, one key twice: reported already as TOML forbids it.
		case twice:
			line, _ := r.position(first.keyAt)
			r.key(name, "%s is listed already, in line %d", s, line)
		default:
			listed[s] = name
		}
	}
}

// onlyName cuts off what somebody took for the place of a value: it may be a
// secret, and faults reach the journal.
func onlyName(s string) string {
	if name, _, assigned := strings.Cut(s, "="); assigned {
		return name + "=…"
	}
	return s
}

// listedName is the variable that a key of static or an element of pass or
// required names.
func (n *node) listedName() string {
	if n.parent.isArray() {
		return n.text
	}
	return n.name
}

// envNames returns the nodes of env that name a variable, in the order of the
// file. Elements that are no strings are at fault already.
func envNames(env *node) []*node {
	var names []*node
	for _, list := range env.children {
		for _, n := range list.children {
			switch {
			case list.name == "static" && list.isTable():
				names = append(names, n)
			case (list.name == "pass" || list.name == "required") && n.kind == unstable.String && !n.faulty:
				names = append(names, n)
			}
		}
	}
	slices.SortStableFunc(names, func(a, b *node) int { return cmp.Compare(a.keyAt, b.keyAt) })
	return names
}

// fillStatic takes any key, with a string each.
func fillStatic(r *report, n *node, into *Env) {
	if !n.isTable() {
		r.value(n, "want a table, got %s", kinds[n.kind])
		return
	}
	for _, child := range n.children {
		value, ok := text(r, child)
		if !ok {
			continue
		}
		if into.Static == nil {
			into.Static = map[string]string{}
		}
		into.Static[child.name] = value
	}
}
