package config

import (
	"maps"
	"slices"
	"strings"
)

// rule is what several keys of a gateway must hold together.
type rule struct {
	at     string                                             // the key at fault, if the file has it; else the gateway is
	with   []string                                           // the other keys that the rule looks at
	broken func(g *Gateway, has func(key string) bool) string // "": it holds
}

// applyRules reports each rule that the gateway of n breaks. A key that is at
// fault already holds a default that nobody asked for: its rules are left out.
func applyRules(r *report, n *node, g *Gateway) {
	has := func(key string) bool { return n.find(key) != nil }
	faulty := func(key string) bool { return n.find(key).anyFaulty() }
	for _, rule := range rules {
		if faulty(rule.at) || slices.ContainsFunc(rule.with, faulty) {
			continue
		}
		problem := rule.broken(g, has)
		if problem == "" {
			continue
		}
		if at := n.find(rule.at); at != nil {
			r.value(at, "%s", problem)
		} else {
			r.key(n, "%s", problem)
		}
	}
}

var rules = []rule{
	{"rootfs", []string{"bundle"}, func(_ *Gateway, has func(string) bool) string {
		return when(!has("rootfs") && !has("bundle"), "rootfs or bundle is missing")
	}},
	{"bundle", []string{"rootfs"}, func(_ *Gateway, has func(string) bool) string {
		return when(has("rootfs") && has("bundle"), "excludes rootfs: a gateway has one source")
	}},
	{"command", []string{"rootfs"}, func(_ *Gateway, has func(string) bool) string {
		return when(has("rootfs") && !has("command"), "command is missing: a rootfs does not say what to run")
	}},
	{"command", []string{"isolation.bare"}, func(g *Gateway, _ func(string) bool) string {
		return when(g.Isolation.Bare && len(g.Command) > 0 && !strings.HasPrefix(g.Command[0], "/"),
			"want the absolute path of a program with bare = true: there is no container whose PATH could find it")
	}},
	{"verify", []string{"digest"}, func(g *Gateway, _ func(string) bool) string {
		return when(g.Staging.Verify == "never" && g.Staging.Digest != "",
			`"never" takes no digest that could be compared with the one that is pinned: want "changed" or "always"`)
	}},
	{"restart.max_delay", []string{"restart.delay"}, func(g *Gateway, has func(string) bool) string {
		return when(g.Restart.MaxDelay < g.Restart.Delay && has("restart.max_delay"), "is shorter than delay, "+brief(g.Restart.Delay))
	}},
	{"restart.delay", []string{"restart.max_delay"}, func(g *Gateway, has func(string) bool) string {
		return when(g.Restart.MaxDelay < g.Restart.Delay && !has("restart.max_delay"), "is longer than max_delay, "+brief(g.Restart.MaxDelay))
	}},
	{"ready.probe", []string{"isolation.network", "listen"}, func(g *Gateway, _ func(string) bool) string {
		_, probed := g.ProbedListen()
		return when(g.Isolation.Network == "none" && g.asksPort() && !probed,
			`cannot reach the gateway with network = "none": want host and port of a listen, unix://, an array (a program and its arguments), "notify" or "none"`)
	}},
	{"ready.probe", []string{"standby"}, func(g *Gateway, has func(string) bool) string {
		return when(g.Standby.Mode == "warm" && g.Ready.Probe.Kind == ProbeNone && has("ready.probe"), noProof)
	}},
	{"standby", []string{"ready.probe"}, func(g *Gateway, has func(string) bool) string {
		return when(g.Standby.Mode == "warm" && !has("ready.probe"), noProof)
	}},
	{"standby", []string{"listen"}, func(g *Gateway, _ func(string) bool) string {
		return when(g.Standby.Mode == "warm", g.noOverlap())
	}},
	{"deploy.canary", []string{"listen"}, func(g *Gateway, _ func(string) bool) string {
		return when(g.Deploy.Canary > 0, g.noOverlap())
	}},
	{"isolation.allow_connect", []string{"isolation.network", "listen"}, func(g *Gateway, _ func(string) bool) string {
		return when(g.Isolation.AllowConnect && !g.wayOut(),
			`has no effect: connect(2) is denied only with network = "none" and a listen that is inherited, unix sockets aside`)
	}},
	{"isolation.seccomp", []string{"isolation.network", "isolation.allow_connect", "listen"}, func(g *Gateway, _ func(string) bool) string {
		return when(g.Isolation.Seccomp == "unconfined" && g.wayOut() && !g.Isolation.AllowConnect,
			`leaves a way out of network = "none" through the inherited listener: want "default", mode = "proxy", or allow_connect = true, which says that it may`)
	}},
	{"isolation.seccomp", []string{"bundle"}, func(g *Gateway, has func(string) bool) string {
		return when(g.Isolation.Seccomp == "bundle" && !has("bundle"), `"bundle" wants a bundle, whose config.json has the profile`)
	}},
	{"isolation.override", []string{"bundle"}, func(g *Gateway, has func(string) bool) string {
		return when(g.Isolation.Override && !has("bundle"), "has no effect without a bundle, whose config.json it overrides")
	}},
	portRule("env.static.PORT", func(g *Gateway) bool { return true }),
	portRule("env.pass", func(g *Gateway) bool { return slices.Contains(g.Env.Pass, "PORT") }),
	portRule("env.required", func(g *Gateway) bool { return slices.Contains(g.Env.Required, "PORT") }),
	credentialsRule("env.static.CREDENTIALS_DIRECTORY", func(g *Gateway) bool { return true }),
	credentialsRule("env.pass", func(g *Gateway) bool { return slices.Contains(g.Env.Pass, CredentialsVariable) }),
	credentialsRule("env.required", func(g *Gateway) bool { return slices.Contains(g.Env.Required, CredentialsVariable) }),
	{"mount", []string{"secret"}, func(g *Gateway, _ func(string) bool) string {
		return when(hidesSecrets(g), "has a target at or below "+SecretDir+", where the secrets that are files lie")
	}},
	{"env.static", []string{"listen"}, func(g *Gateway, _ func(string) bool) string {
		for _, name := range slices.Sorted(maps.Keys(g.Env.Static)) {
			if g.choosesPort() && strings.Contains(g.Env.Static[name], placePort) {
				return name + " contains {port}, which is replaced in command only: the program has its port in PORT"
			}
		}
		return ""
	}},
	{"command", []string{"listen"}, func(g *Gateway, _ func(string) bool) string {
		named := slices.ContainsFunc(g.Command, func(s string) bool { return strings.Contains(s, placePort) })
		proxied := slices.ContainsFunc(g.Listen, func(l Listen) bool { return l.Mode == proxy })
		return when(named && proxied && !g.choosesPort(), `contains {port}, but no listen has a to with port 0, such as "127.0.0.1:0"`)
	}},
	bareRule("stage", func(g *Gateway) bool { return g.Staging.Stage == "overlay" }),
	bareRule("ids", func(g *Gateway) bool { return g.Staging.IDs == "range" }),
	bareRule("mount", func(g *Gateway) bool { return g.Mounts != nil }),
	bareRule("ready.probe", func(g *Gateway) bool { return g.Ready.Probe.Kind == ProbeExec }),
	bareRule("isolation.network", func(g *Gateway) bool { return g.Isolation.Network != "host" }),
	bareRule("isolation.read_only", func(g *Gateway) bool { return g.Isolation.ReadOnly }),
	bareRule("isolation.seccomp", func(g *Gateway) bool { return g.Isolation.Seccomp != "default" }),
	bareRule("isolation.init", func(g *Gateway) bool { return g.Isolation.Init }),
	bareRule("isolation.tmp", func(g *Gateway) bool { return g.Isolation.Tmp != defaultGateway("").Isolation.Tmp }),
	bareRule("isolation.limits", func(g *Gateway) bool { return g.Isolation.Limits != nil }),
	bareRule("isolation.capabilities", func(g *Gateway) bool { return g.Isolation.Capabilities != nil }),
	bareRule("isolation.no_new_privs", func(g *Gateway) bool { return g.Isolation.NewPrivs }),
	bareRule("isolation.unmask", func(g *Gateway) bool { return g.Isolation.Unmask != nil }),
}

const noProof = `is ready before anything shows that it works: standby = "warm" wants a probe other than "none"`

// bareRule refuses what only a container can hold where there is none: to
// ignore it would leave a gateway less isolated than its file reads.
func bareRule(key string, asked func(g *Gateway) bool) rule {
	return rule{key, []string{"isolation.bare"}, func(g *Gateway, _ func(string) bool) string {
		return when(g.Isolation.Bare && asked(g), "needs a container, which bare = true takes away")
	}}
}

// portRule refuses a PORT where gatewayd sets it.
func portRule(key string, listed func(g *Gateway) bool) rule {
	return rule{key, []string{"listen"}, func(g *Gateway, has func(string) bool) string {
		return when(has(key) && listed(g) && g.choosesPort(), "PORT is set by gatewayd, to the port that a listen whose to has port 0 gives to each launch")
	}}
}

func when(broken bool, problem string) string {
	if broken {
		return problem
	}
	return ""
}
