package main

import (
	"slices"
	"sync"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// gateways are those that the supervisor has, with what it does not know of them.
type gateways struct {
	mu      sync.Mutex
	byName  map[string]gateway
	longest time.Duration // the longest stop timeout that any launch may have
}

type gateway struct {
	config   config.Gateway
	launcher *launch.Launcher
	leaving  bool // a reload has removed it, and the supervisor is at it
}

func (g *gateways) put(entry gateway) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byName == nil {
		g.byName = make(map[string]gateway)
	}
	g.byName[entry.config.Name] = entry
	// It only grows: a launch keeps the policy that it began with.
	g.longest = max(g.longest, entry.config.Stop.Timeout)
}

func (g *gateways) longestStop() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.longest
}

func (g *gateways) remove(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.byName, name)
}

func (g *gateways) get(name string) (gateway, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	entry, ok := g.byName[name]
	return entry, ok
}

// others are those that c does not have and that are not leaving already.
func (g *gateways) others(c *config.Config) []gateway {
	g.mu.Lock()
	defer g.mu.Unlock()
	var others []gateway
	for name, entry := range g.byName {
		has := slices.ContainsFunc(c.Gateways, func(other config.Gateway) bool { return other.Name == name })
		if !has && !entry.leaving {
			others = append(others, entry)
		}
	}
	return others
}

// info never waits for the gateway.
func (g *gateways) info(name string, n int) launch.Info {
	if entry, ok := g.get(name); ok {
		return entry.launcher.Info(n)
	}
	return launch.Info{}
}

func (g *gateways) bare(name string) bool {
	entry, ok := g.get(name)
	return ok && entry.config.Isolation.Bare
}

// add gives the supervisor a gateway that it does not have.
func (d *daemon) add(c config.Gateway) error {
	stopped, err := d.holds(c.Name)
	if err != nil {
		return err
	}
	entry := gateway{config: c, launcher: launch.NewLauncher(d.host)}
	if err := entry.launcher.Define(c.Revision(), c); err != nil {
		return err
	}
	d.gateways.put(entry)
	err = d.supervisor.Add(supervisor.Gateway{
		Name: c.Name, Revision: c.Revision(), Policy: policy(c),
		Launcher: entry.launcher, Prober: entry.launcher, Stopped: stopped,
	})
	if err != nil {
		d.gateways.remove(c.Name)
	}
	return err
}

// policy is what the configuration of a gateway asks of the supervisor.
func policy(c config.Gateway) supervisor.Policy {
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
		Stop: supervisor.StopPolicy{Signal: c.Stop.Signal, Timeout: c.Stop.Timeout},
	}
}

// probeTimeout: a gateway that reports its own readiness is waited for, not
// asked, so that one probe lasts as long as the start may.
func probeTimeout(r config.Ready) time.Duration {
	if r.Probe.Kind == config.ProbeNotify {
		return r.StartTimeout
	}
	return r.Timeout
}
