package config

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Advice tells what works, but not as well as it looks: probes that cannot tell
// two launches apart, sockets that they share, a standby that shares data,
// isolation that is given back.
func (g Gateway) Advice() []string {
	var advice []string
	for _, judge := range []func(Gateway) string{adviseProbe, adviseNotify, adviseConnect, adviseShared, adviseFixedPort, adviseMounts, adviseSecrets, adviseRules, adviseSeccomp, adviseGiven} {
		if text := judge(g); text != "" {
			advice = append(advice, text)
		}
	}
	return advice
}

func adviseProbe(g Gateway) string {
	_, probed := g.ProbedListen()
	switch kind := g.Ready.Probe.Kind; {
	case len(g.Listen) == 0 || probed:
		return ""
	case kind == ProbeNone:
		return "ready.probe: none with a listen: connections go to a launch as soon as its program runs, and wait there until it accepts them, or fails"
	case !g.Overlaps():
		return ""
	case g.asksPort():
		return "ready.probe: asks no listen of the gateway: while two launches run, at a deploy or beside a standby, nobody knows which of them answers, " +
			"and a new one may pass for ready that is not; ask host and port of a listen"
	case kind == ProbeUnix && g.Isolation.Bare:
		return "ready.probe: asks a socket of the host: while two launches run, nobody knows which of them answers; ask host and port of a listen"
	}
	return ""
}

func adviseNotify(g Gateway) string {
	return when(g.Standby.Mode == "warm" && g.Ready.Probe.Kind == ProbeNotify,
		"standby: warm with the probe notify: READY=1 comes once, so a check of the standby learns only that it is still there; ask host and port of a listen")
}

// adviseConnect: what is denied to keep the listener from being a way out, a probe
// may need.
func adviseConnect(g Gateway) string {
	if !g.wayOut() || g.Isolation.AllowConnect {
		return ""
	}
	const instead = `; want host and port of the listen, or mode = "proxy" with to = "unix:/PATH", where nothing is denied, ` +
		"or isolation.allow_connect = true, which gives the host's network back"
	switch g.Ready.Probe.Kind {
	case ProbeNotify:
		return `ready.probe: notify with network = "none" and an inherited listen: the program may not connect(2), also to NOTIFY_SOCKET, ` +
			"so one that connects to send READY=1, as most libraries do, is never ready" + instead
	case ProbeExec:
		return `ready.probe: with network = "none" and an inherited listen no program inside may connect(2), so one that asks the gateway by a socket always fails` + instead
	}
	return ""
}

func adviseShared(g Gateway) string {
	var shared []string
	for _, l := range g.Listen {
		if l.Shared() {
			shared = append(shared, l.Name+" ("+printable(l.Address)+")")
		}
	}
	if shared == nil {
		return ""
	}
	return "listen: all launches accept from the one socket of " + strings.Join(shared, ", ") +
		": a new launch takes connections before it is known to work, an old one until it ends, and canary has no effect; " +
		when(g.Standby.Mode == "warm", "the standby is created, not warm, since clients that it accepts would freeze with it; ") +
		`an address IP:PORT or mode = "proxy" has none of this`
}

func adviseFixedPort(g Gateway) string {
	for _, l := range g.Listen {
		if l.fixedPort() {
			return "listen: to = " + l.To + " is one port for all launches: a deploy ends the old one before it starts the new one; " +
				`want to = "127.0.0.1:0", and a program that listens on $PORT, or unix:/PATH`
		}
	}
	return ""
}

// hasty is a pause between launches that keeps a processor busy with a program that
// always ends at once: a launch takes some 50 ms of it.
const hasty = 100 * time.Millisecond

// adviseRules: what nobody looks for is never found, and what is not counted never
// ends.
func adviseRules(g Gateway) string {
	for _, rule := range g.Restart.On {
		longest := cmp.Or(rule.MaxDelay, max(rule.Delay, g.Restart.MaxDelay))
		if rule.Action == "restart" && !rule.Count && longest < hasty {
			return "restart.on: a restart each " + brief(longest) + " that does not count as a failure goes on for ever, and keeps a processor busy; " +
				"want a delay or max_delay of 100ms or more, or count = true"
		}
		if slices.Contains(rule.Cause, "unhealthy") && (g.Ready.Probe.Kind == ProbeNone || g.Ready.UnhealthyAfter == 0) {
			return "restart.on: cause unhealthy never comes: want a probe, and unhealthy_after above 0"
		}
	}
	return ""
}

func adviseMounts(g Gateway) string {
	if g.Standby.Mode != "warm" {
		return ""
	}
	for _, m := range g.Mounts {
		if !m.ReadOnly {
			return "standby: warm, and " + printable(m.Target) + " can be written: two programs have it at once, so what the second one does at its start " +
				"(locks, migrations) happens beside the serving one"
		}
	}
	return ""
}

// adviseSecrets: a file is gone from all paths when the program runs; a variable
// is passed to all that the program starts, and stays in /proc/PID/environ.
func adviseSecrets(g Gateway) string {
	var names []string
	for _, s := range g.Secrets {
		if !s.IsFile() {
			names = append(names, s.Name)
		}
	}
	if names == nil {
		return ""
	}
	return "secret: " + strings.Join(names, ", ") + ` in a variable: whatever the program starts inherits it, and it stays in /proc/PID/environ for as long as the program runs; ` +
		`want as = "file", and a program that reads ` + SecretDir + "/NAME"
}

func adviseSeccomp(g Gateway) string {
	switch g.Isolation.Seccomp {
	case "unconfined":
		return "isolation.seccomp: unconfined: every system call of the kernel is open to the program; want default, or a profile of your own"
	case "bundle":
		return "isolation.seccomp: bundle: the package decides which system calls its program may use"
	}
	return ""
}

// adviseGiven tells what a compromised program could do with what it is given.
func adviseGiven(g Gateway) string {
	var given []string
	if g.Isolation.Capabilities != nil {
		names := strings.ReplaceAll(strings.Join(g.Isolation.Capabilities, ", "), capabilityPrefix, "")
		given = append(given, "capabilities "+names+when(slices.Contains(g.Isolation.Capabilities, "CAP_SYS_ADMIN"),
			" (by SYS_ADMIN also what is masked can be uncovered, and most of the kernel be reached)"))
	}
	if g.Isolation.NewPrivs {
		given = append(given, "no_new_privs = false: set-user-ID programs and file capabilities take effect")
	}
	if g.Isolation.Unmask != nil {
		given = append(given, "unmask "+strings.Join(g.Isolation.Unmask, ", "))
	}
	if given == nil {
		return ""
	}
	return "isolation: less than a gateway usually has: " + strings.Join(given, "; ")
}
