package config

import (
	"syscall"
	"time"
)

// The bounds of what is a duration, a count, a factor. The lower one of a
// duration keeps loops that wait for it from being busy; the upper ones refuse
// what can only be a slip, such as hours where milliseconds were meant.
const (
	shortest = time.Millisecond
	aDay     = 24 * time.Hour
	aWeek    = 7 * aDay

	mostFailures  = 1_000_000
	mostBacklog   = 65535
	mostFiles     = 1_000_000_000
	largestLimit  = 1_000_000_000
	largestFactor = 100

	defaultSecretTimeout = 10 * time.Second
)

// defaultConfig is what a file without keys means.
func defaultConfig() Config { return Config{LogLevel: "info", Runtime: "auto"} }

// defaultGateway is what a gateway without keys means.
func defaultGateway(name string) Gateway {
	return Gateway{
		Name:    name,
		Staging: Staging{Stage: "auto", IDs: "single", Verify: "changed"},
		Ready: Ready{
			Probe:          Probe{Kind: ProbeNone},
			Interval:       time.Second,
			Timeout:        2 * time.Second,
			StartTimeout:   time.Minute,
			UnhealthyAfter: 3,
		},
		Restart: Restart{
			Policy:     "always",
			Delay:      100 * time.Millisecond,
			Factor:     2,
			MaxDelay:   30 * time.Second,
			Jitter:     0.1,
			ResetAfter: 10 * time.Second,
			Window:     5 * time.Minute,
		},
		Stop:      Stop{Signal: syscall.SIGTERM, Timeout: 10 * time.Second},
		Isolation: Isolation{Network: "host", Seccomp: "default", Tmp: 256 << 20},
		Standby:   Standby{Mode: "none", Check: 5 * time.Minute, MaxAge: 6 * time.Hour},
		Deploy:    Deploy{Drain: 30 * time.Second, CanaryFor: time.Minute, Confirm: 5 * time.Minute},
	}
}

// defaultListen is what a listen without keys means.
func defaultListen() Listen {
	return Listen{Mode: inherit, Backlog: 4096, Park: 5 * time.Second}
}

// defaultRule is what a rule without keys means.
func defaultRule() RestartRule { return RestartRule{Action: "restart", Count: true} }

// fileKeys and the tables below it are the whole schema.
var fileKeys = schema[Config]{
	key("log_level", oneOf("debug", "info", "warn", "error"), func(c *Config) *string { return &c.LogLevel }),
	key("runtime", wordOrPath("auto", "youki", "crun", "runc"), func(c *Config) *string { return &c.Runtime }),
	{name: "gateway", below: below("NAME", gatewayKeys.paths()), fill: fillGateways},
}

var gatewayKeys = schema[Gateway]{
	key("rootfs", directory, func(g *Gateway) *string { return &g.Rootfs }),
	key("bundle", directory, func(g *Gateway) *string { return &g.Bundle }),
	key("stage", oneOf("auto", "copy", "overlay"), func(g *Gateway) *string { return &g.Staging.Stage }),
	key("ids", oneOf("single", "range"), func(g *Gateway) *string { return &g.Staging.IDs }),
	key("verify", oneOf("changed", "always", "never"), func(g *Gateway) *string { return &g.Staging.Verify }),
	key("digest", digest, func(g *Gateway) *string { return &g.Staging.Digest }),
	key("max_size", size, func(g *Gateway) *int64 { return &g.Staging.MaxSize }),
	key("max_files", integer[int64](0, mostFiles), func(g *Gateway) *int64 { return &g.Staging.MaxFiles }),
	key("skip_special", boolean, func(g *Gateway) *bool { return &g.Staging.SkipSpecial }),
	key("keep_setuid", boolean, func(g *Gateway) *bool { return &g.Staging.KeepSetuid }),
	key("command", argv, func(g *Gateway) *[]string { return &g.Command }),
	key("workdir", absolute, func(g *Gateway) *string { return &g.Workdir }),
	{name: "env", below: envKeys.paths(), fill: fillEnv},
	{name: "mount", below: mountKeys.paths(), fill: fillMounts},
	{name: "secret", below: secretKeys.paths(), fill: fillSecrets},
	table("ready", readyKeys, func(g *Gateway) *Ready { return &g.Ready }),
	table("restart", restartKeys, func(g *Gateway) *Restart { return &g.Restart }),
	table("stop", stopKeys, func(g *Gateway) *Stop { return &g.Stop }),
	table("isolation", isolationKeys, func(g *Gateway) *Isolation { return &g.Isolation }),
	{name: "listen", below: listenKeys.paths(), fill: fillListens},
	key("standby", oneOf("none", "created", "warm"), func(g *Gateway) *string { return &g.Standby.Mode }),
	key("standby_check", duration(shortest, aDay), func(g *Gateway) *time.Duration { return &g.Standby.Check }),
	key("standby_max_age", duration(shortest, aWeek), func(g *Gateway) *time.Duration { return &g.Standby.MaxAge }),
	table("deploy", deployKeys, func(g *Gateway) *Deploy { return &g.Deploy }),
}

var envKeys = schema[Env]{
	{name: "static", below: []string{"NAME"}, fill: fillStatic},
	key("pass", texts, func(e *Env) *[]string { return &e.Pass }),
	key("required", texts, func(e *Env) *[]string { return &e.Required }),
}

var mountKeys = schema[Mount]{
	key("source", wordOrPath(DataSource), func(m *Mount) *string { return &m.Source }),
	key("target", mountTarget, func(m *Mount) *string { return &m.Target }),
	key("read_only", boolean, func(m *Mount) *bool { return &m.ReadOnly }),
}

var secretKeys = schema[Secret]{
	key("name", secretName, func(s *Secret) *string { return &s.Name }),
	key("source", secretSource, func(s *Secret) *SecretSource { return &s.Source }),
	key("timeout", duration(shortest, aDay), func(s *Secret) *time.Duration { return &s.Timeout }),
	key("as", secretAs, func(s *Secret) *string { return &s.Variable }),
	key("required", boolean, func(s *Secret) *bool { return &s.Required }),
	key("on_change", onChange, func(s *Secret) *OnChange { return &s.OnChange }),
}

var readyKeys = schema[Ready]{
	key("probe", probe, func(r *Ready) *Probe { return &r.Probe }),
	key("interval", duration(shortest, aDay), func(r *Ready) *time.Duration { return &r.Interval }),
	key("timeout", duration(shortest, aDay), func(r *Ready) *time.Duration { return &r.Timeout }),
	key("start_timeout", duration(shortest, aDay), func(r *Ready) *time.Duration { return &r.StartTimeout }),
	key("unhealthy_after", integer(0, mostFailures), func(r *Ready) *int { return &r.UnhealthyAfter }),
}

var restartKeys = schema[Restart]{
	key("policy", oneOf("always", "on-failure", "never"), func(r *Restart) *string { return &r.Policy }),
	key("delay", duration(shortest, aDay), func(r *Restart) *time.Duration { return &r.Delay }),
	key("factor", number(1, largestFactor), func(r *Restart) *float64 { return &r.Factor }),
	key("max_delay", duration(shortest, aDay), func(r *Restart) *time.Duration { return &r.MaxDelay }),
	key("jitter", number(0, 1), func(r *Restart) *float64 { return &r.Jitter }),
	key("reset_after", duration(shortest, aDay), func(r *Restart) *time.Duration { return &r.ResetAfter }),
	key("max_failures", integer(0, mostFailures), func(r *Restart) *int { return &r.MaxFailures }),
	key("window", duration(shortest, aWeek), func(r *Restart) *time.Duration { return &r.Window }),
	{name: "on", below: ruleKeys.paths(), fill: fillRules},
}

var ruleKeys = schema[RestartRule]{
	key("exit", listOf("exit codes", exitCodes), func(o *RestartRule) *[]ExitCodes { return &o.Exit }),
	key("signal", listOf("signals", stopSignal), func(o *RestartRule) *[]syscall.Signal { return &o.Signal }),
	key("cause", listOf("strings", oneOf("oom", "unready", "unhealthy")), func(o *RestartRule) *[]string { return &o.Cause }),
	key("action", oneOf("restart", "hold", "stop"), func(o *RestartRule) *string { return &o.Action }),
	key("delay", duration(shortest, aDay), func(o *RestartRule) *time.Duration { return &o.Delay }),
	key("factor", number(1, largestFactor), func(o *RestartRule) *float64 { return &o.Factor }),
	key("max_delay", duration(shortest, aDay), func(o *RestartRule) *time.Duration { return &o.MaxDelay }),
	key("count", boolean, func(o *RestartRule) *bool { return &o.Count }),
}

var stopKeys = schema[Stop]{
	key("signal", stopSignal, func(s *Stop) *syscall.Signal { return &s.Signal }),
	key("timeout", duration(shortest, aDay), func(s *Stop) *time.Duration { return &s.Timeout }),
}

var isolationKeys = schema[Isolation]{
	key("network", oneOf("host", "none"), func(i *Isolation) *string { return &i.Network }),
	key("read_only", boolean, func(i *Isolation) *bool { return &i.ReadOnly }),
	key("seccomp", wordOrPath("default", "bundle", "unconfined"), func(i *Isolation) *string { return &i.Seccomp }),
	key("bare", boolean, func(i *Isolation) *bool { return &i.Bare }),
	key("init", boolean, func(i *Isolation) *bool { return &i.Init }),
	key("allow_connect", boolean, func(i *Isolation) *bool { return &i.AllowConnect }),
	key("tmp", tmp, func(i *Isolation) *int64 { return &i.Tmp }),
	{name: "limits", below: []string{"NAME"}, fill: fillLimits},
	key("capabilities", capabilities, func(i *Isolation) *[]string { return &i.Capabilities }),
	{name: "no_new_privs", fill: fillNoNewPrivs},
	key("unmask", unmaskable, func(i *Isolation) *[]string { return &i.Unmask }),
	key("override", boolean, func(i *Isolation) *bool { return &i.Override }),
}

var listenKeys = schema[Listen]{
	key("name", listenName, func(l *Listen) *string { return &l.Name }),
	key("address", listenAddress, func(l *Listen) *string { return &l.Address }),
	key("mode", oneOf(inherit, proxy), func(l *Listen) *string { return &l.Mode }),
	key("to", target, func(l *Listen) *string { return &l.To }),
	key("proxy_protocol", boolean, func(l *Listen) *bool { return &l.ProxyProtocol }),
	key("backlog", integer(1, mostBacklog), func(l *Listen) *int { return &l.Backlog }),
	key("park", duration(0, aDay), func(l *Listen) *time.Duration { return &l.Park }),
}

var deployKeys = schema[Deploy]{
	key("drain", duration(0, aDay), func(d *Deploy) *time.Duration { return &d.Drain }),
	key("canary", percent, func(d *Deploy) *int { return &d.Canary }),
	key("canary_for", duration(shortest, aDay), func(d *Deploy) *time.Duration { return &d.CanaryFor }),
	key("confirm", duration(0, aDay), func(d *Deploy) *time.Duration { return &d.Confirm }),
}

func below(name string, paths []string) []string {
	list := make([]string, len(paths))
	for i, path := range paths {
		list[i] = name + "." + path
	}
	return list
}
