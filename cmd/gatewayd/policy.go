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
		},
		Stop:     supervisor.StopPolicy{Signal: c.Stop.Signal, Timeout: c.Stop.Timeout},
		Overlap:  c.Overlaps(),
		Launches: launches,
		Standby:  d.standby(c),
		Deploy:   supervisor.DeployPolicy{Drain: c.Deploy.Drain, Confirm: c.Deploy.Confirm},
	}
}

// standby is what waits to take over. A warm one has to be frozen, which takes a
// cgroup of version 2.
func (d *daemon) standby(c config.Gateway) supervisor.StandbyPolicy {
	mode := supervisor.StandbyMode(c.Standby.Mode)
	if mode == supervisor.WarmStandby && d.host.Cgroup == nil {
		mode = supervisor.CreatedStandby
		d.log.Warn(c.Name+": "+notWarm, event("standby-created"), zap.String("gateway", c.Name))
	}
	return supervisor.StandbyPolicy{Mode: mode, Check: c.Standby.Check, MaxAge: c.Standby.MaxAge}
}

const notWarm = "the standby is only created, not warm: to freeze one takes a cgroup of version 2, which is not delegated here"

// probeTimeout: a gateway that reports its own readiness is waited for, not
// asked, so that one probe lasts as long as the start may.
func probeTimeout(r config.Ready) time.Duration {
	if r.Probe.Kind == config.ProbeNotify {
		return r.StartTimeout
	}
	return r.Timeout
}
