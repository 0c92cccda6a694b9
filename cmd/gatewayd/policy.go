package main

import (
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// launches is how many launches of a gateway there may be at once: as many as
// a listener has slots.
const launches = 8

// policy is what the configuration of a gateway asks of the supervisor.
func (d *daemon) policy(c config.Gateway) supervisor.Policy {
	return supervisor.Policy{
		StartTimeout: c.Ready.StartTimeout,
		CallTimeout:  callTime,
		Probe: supervisor.ProbePolicy{
			Enabled:        c.Ready.Probe.Kind != config.ProbeNone,
			Interval:       c.Ready.Interval,
			Timeout:        probeTimeout(c.Ready),
			UnhealthyAfter: c.Ready.UnhealthyAfter,
			Once:           c.Ready.Probe.Kind == config.ProbeNotify,
		},
		Restart: supervisor.RestartPolicy{
			Mode:  supervisor.RestartMode(c.Restart.Policy),
			Delay: c.Restart.Delay, Factor: c.Restart.Factor, MaxDelay: c.Restart.MaxDelay, Jitter: c.Restart.Jitter,
			ResetAfter: c.Restart.ResetAfter, MaxFailures: c.Restart.MaxFailures, Window: c.Restart.Window,
			On: restartRules(c.Restart.On),
		},
		Stop:     supervisor.StopPolicy{Signal: c.Stop.Signal, Timeout: c.Stop.Timeout},
		Overlap:  c.Overlaps(),
		Launches: launches,
		Standby:  d.standby(c),
		Deploy:   supervisor.DeployPolicy{Drain: c.Deploy.Drain, Confirm: c.Deploy.Confirm},
	}
}

func restartRules(on []config.RestartRule) []supervisor.RestartRule {
	var rules []supervisor.RestartRule
	for _, o := range on {
		rule := supervisor.RestartRule{
			Signals: o.Signal, Action: supervisor.RestartAction(o.Action),
			Delay: o.Delay, Factor: o.Factor, MaxDelay: o.MaxDelay, Uncounted: !o.Count,
		}
		for _, codes := range o.Exit {
			rule.Codes = append(rule.Codes, supervisor.ExitCodes(codes))
		}
		for _, cause := range o.Cause {
			rule.Causes = append(rule.Causes, supervisor.CauseKind(cause))
		}
		rules = append(rules, rule)
	}
	return rules
}

// standby is what waits to take over.
func (d *daemon) standby(c config.Gateway) supervisor.StandbyPolicy {
	mode := supervisor.StandbyMode(c.Standby.Mode)
	if why := d.notWarm(c); why != "" {
		mode = supervisor.CreatedStandby
		d.log.Warn(c.Name+": "+why, event("standby-created"), zap.String("gateway", c.Name))
	}
	return supervisor.StandbyPolicy{Mode: mode, Check: c.Standby.Check, MaxAge: c.Standby.MaxAge}
}

// notWarm says why a standby that is to be warm is only created. A warm one has to
// be frozen, and must have accepted nothing by then: its clients would freeze with it.
func (d *daemon) notWarm(c config.Gateway) string {
	if c.Standby.Mode != string(supervisor.WarmStandby) {
		return ""
	}
	if d.host.Cgroup == nil {
		return "the standby is only created, not warm: to freeze one takes a cgroup of version 2, which is not delegated here"
	}
	entry, _ := d.gateways.get(c.Name)
	if shared := entry.launcher.Shared(c); shared != "" {
		return "the standby is only created, not warm: all launches accept from the one socket of listen " + shared + ", and clients that a warm one accepts would freeze with it"
	}
	return ""
}

// probeTimeout: a gateway that reports its own readiness is waited for, not
// asked, so that one probe lasts as long as the start may.
func probeTimeout(r config.Ready) time.Duration {
	if r.Probe.Kind == config.ProbeNotify {
		return r.StartTimeout
	}
	return r.Timeout
}
