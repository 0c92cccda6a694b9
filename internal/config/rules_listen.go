package config

import (
	"path"
	"slices"
	"strings"
)

// listenRule is what the keys of listen i must hold together with each other and
// with those of its gateway.
type listenRule struct {
	at     string   // the key of the listen that is at fault
	with   []string // the keys of the gateway that the rule looks at
	broken func(g *Gateway, i int, has func(key string) bool) string
}

// applyListenRules reports each rule that a listen of g breaks, as applyRules.
func applyListenRules(r *report, n *node, g *Gateway) {
	list := n.find("listen")
	faulty := func(key string) bool { return n.find(key).anyFaulty() }
	for i := range g.Listen {
		element := list.children[i]
		if element.anyFaulty() {
			continue
		}
		has := func(key string) bool { return element.find(key) != nil }
		for _, rule := range listenRules {
			at := element.find(rule.at)
			if at == nil || at.faulty || slices.ContainsFunc(rule.with, faulty) {
				continue
			}
			if problem := rule.broken(g, i, has); problem != "" {
				r.value(at, "%s", problem)
			}
		}
	}
}

var listenRules = []listenRule{
	{"name", nil, func(g *Gateway, i int, _ func(string) bool) string {
		return when(g.earlier(i, func(l, other Listen) bool { return l.Name == other.Name }), "is the name of an earlier listen")
	}},
	{"mode", nil, func(g *Gateway, i int, has func(string) bool) string {
		return when(g.Listen[i].Mode == proxy && !has("to"), `wants to, where the program listens, such as "127.0.0.1:0" or "unix:/run/program/socket"`)
	}},
	proxyRule("to"), proxyRule("proxy_protocol"), proxyRule("park"),
	{"to", []string{"isolation.network"}, func(g *Gateway, i int, _ func(string) bool) string {
		return when(g.Isolation.Network == "none" && !g.Listen[i].toUnix(), `cannot be reached with network = "none": want unix:/PATH`)
	}},
	{"to", []string{"isolation.bare"}, func(g *Gateway, i int, _ func(string) bool) string {
		return when(g.Isolation.Bare && g.Listen[i].toUnix(), `needs a container, which bare = true takes away: want "127.0.0.1:0", and a program that listens on $PORT`)
	}},
	{"to", nil, func(g *Gateway, i int, _ func(string) bool) string {
		return when(g.Listen[i].anyPort() && g.earlier(i, func(_, other Listen) bool { return other.anyPort() }),
			"is the second one with port 0, and PORT names one port only: want unix:/PATH")
	}},
	{"to", nil, func(g *Gateway, i int, _ func(string) bool) string {
		return when(g.Listen[i].toUnix() && g.earlier(i, func(l, other Listen) bool { return l.To == other.To }), "is that of an earlier listen")
	}},
	{"to", []string{"mount"}, func(g *Gateway, i int, _ func(string) bool) string {
		dir := path.Dir(strings.TrimPrefix(g.Listen[i].To, unixPrefix))
		mounted := slices.ContainsFunc(g.Mounts, func(m Mount) bool { return m.Target == dir })
		return when(g.Listen[i].toUnix() && mounted, quote(dir)+" is the target of a mount: want a directory that the socket has for itself")
	}},
}

// proxyRule refuses what only a proxy can do where the program accepts by itself.
func proxyRule(key string) listenRule {
	return listenRule{key, nil, func(g *Gateway, i int, _ func(string) bool) string {
		return when(g.Listen[i].Mode != proxy, `has no effect without mode = "proxy"`)
	}}
}

// earlier tells whether a listen before i is like it.
func (g *Gateway) earlier(i int, like func(l, other Listen) bool) bool {
	return slices.ContainsFunc(g.Listen[:i], func(other Listen) bool { return like(g.Listen[i], other) })
}
