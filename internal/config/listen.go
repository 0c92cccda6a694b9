package config

import (
	"slices"
	"strings"
)

// toUnix tells whether the proxy of l relays to a unix socket.
func (l Listen) toUnix() bool { return strings.HasPrefix(l.To, unixPrefix) }

// anyPort tells whether each launch gets a port of its own to listen on.
func (l Listen) anyPort() bool {
	at, ok := endpoint(l.To)
	return ok && at.Port() == 0
}

// choosesPort tells whether PORT is set for each launch.
func (g Gateway) choosesPort() bool { return slices.ContainsFunc(g.Listen, Listen.anyPort) }

// fixedPort tells whether all launches listen on the same port behind a proxy.
func (l Listen) fixedPort() bool {
	at, ok := endpoint(l.To)
	return ok && at.Port() != 0
}

// Shared tells whether the launches accept from one socket: the kernel steers
// between TCP sockets only, of which gatewayd makes one for each launch.
func (l Listen) Shared() bool {
	return l.Mode == inherit && (strings.HasPrefix(l.Address, unixPrefix) || strings.HasPrefix(l.Address, systemdPrefix))
}

// Overlaps tells whether two launches may run side by side: every listen hands
// each of them a socket, port or path of its own. A gateway without a listen
// opens its ports itself, and two launches would want the same.
func (g Gateway) Overlaps() bool { return g.noOverlap() == "" }

func (g Gateway) noOverlap() string {
	if len(g.Listen) == 0 {
		return "wants two launches side by side, which only a gateway with a listen can have"
	}
	for _, l := range g.Listen {
		if l.fixedPort() {
			return "wants two launches side by side, which cannot both listen on " + l.To +
				`: want to = "127.0.0.1:0", and a program that listens on $PORT, or unix:/PATH`
		}
	}
	return ""
}

// wayOut tells whether the program holds a socket of the host's network that
// its own lacks, and could connect through it. Unix sockets lead nowhere.
func (g Gateway) wayOut() bool {
	if g.Isolation.Network != "none" {
		return false
	}
	for _, l := range g.Listen {
		if l.Mode == inherit && !strings.HasPrefix(l.Address, unixPrefix) {
			return true
		}
	}
	return false
}
