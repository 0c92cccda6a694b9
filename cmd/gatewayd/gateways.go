package main

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/internal/revisions"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// gateways are those that the supervisor has, with what it does not know of them.
type gateways struct {
	mu      sync.Mutex
	byName  map[string]gateway
	longest time.Duration // the longest stop timeout that any launch may have
}

type gateway struct {
	file     config.Gateway // what the configuration file says, as it was last read
	launcher *launch.Launcher
	defined  *defined
	history  *revisions.History
	gone     chan struct{} // closed when it is, of one that a reload removes; nil: it stays
}

func (g *gateways) put(entry gateway) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byName == nil {
		g.byName = make(map[string]gateway)
	}
	g.byName[entry.file.Name] = entry
}

// expect notes a stop timeout. What is noted only grows: a launch keeps the
// policy that it began with.
func (g *gateways) expect(stop time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.longest = max(g.longest, stop)
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
		if !has && entry.gone == nil {
			others = append(others, entry)
		}
	}
	return others
}

// all are those that are not leaving.
func (g *gateways) all() []gateway {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []gateway
	for _, entry := range g.byName {
		if entry.gone == nil {
			all = append(all, entry)
		}
	}
	return all
}

// leaving are those that are not gone yet.
func (g *gateways) leaving() []gateway {
	g.mu.Lock()
	defer g.mu.Unlock()
	var leaving []gateway
	for _, entry := range g.byName {
		if entry.gone != nil {
			leaving = append(leaving, entry)
		}
	}
	return leaving
}

// info never waits for the gateway.
func (g *gateways) info(name string, n int) launch.Info {
	if entry, ok := g.get(name); ok {
		return entry.launcher.Told(n)
	}
	return launch.Info{}
}

func (g *gateways) bare(name, revision string) bool {
	entry, ok := g.get(name)
	return ok && entry.defined.get(revision).Isolation.Bare
}

// add gives the supervisor a gateway that it does not have.
func (d *daemon) add(file config.Gateway) error {
	stopped, err := d.holds(file.Name)
	if err != nil {
		return err
	}
	history, err := revisions.Open(d.host.Dirs.Revisions(), file.Name)
	if err != nil {
		d.log.Warn("the history of "+file.Name+" is lost", event("history-lost"), zap.String("gateway", file.Name), zap.Error(err))
	}
	entry := gateway{file: file, launcher: launch.NewLauncher(d.host), history: history}
	entry.defined = newDefined(entry.launcher)
	revision, g := d.first(entry)
	trial, done := d.trial(entry, g)
	defer done()
	held := d.heldBefore(g)
	release, _ := entry.defined.add(revision, g) // what it says is the cause of the first launch's end
	defer release()
	d.gateways.put(entry)
	d.gateways.expect(g.Stop.Timeout)
	err = d.supervisor.Add(supervisor.Gateway{
		Name: file.Name, Revision: revision, Policy: d.policy(g),
		Launcher: entry.launcher, Prober: entry.launcher, Traffic: entry.launcher, Stopped: stopped,
		Trial: trial, Held: held,
	})
	if err != nil {
		d.gateways.remove(file.Name)
	}
	return err
}

// first is what runs at the start: what did before, while the file says what it
// said then, else what it says now.
func (d *daemon) first(entry gateway) (revision string, g config.Gateway) {
	if before, g, ok := entry.history.Resume(entry.file); ok {
		if before.Differs() || g.Revision() != entry.file.Revision() {
			d.log.Info(fmt.Sprintf("%s runs revision %d, which is not what the configuration says: gatewayd deploy %s brings that", entry.file.Name, before.Number, entry.file.Name),
				event("revision-resumed"), zap.String("gateway", entry.file.Name), zap.String("revision", number(before.Number)))
		}
		return number(before.Number), g
	}
	why := "start"
	if _, ok := entry.history.Serving(); ok {
		why = "configuration changed"
	}
	n := entry.history.Add(why, entry.file, entry.file)
	entry.history.Serve(n)
	return number(n), entry.file
}

// trial is what the first revision has still to prove itself against, since a
// gatewayd before this one; nil: nothing. done is to be called when the
// supervisor has the gateway.
func (d *daemon) trial(entry gateway, serving config.Gateway) (trial *supervisor.Trial, done func()) {
	before, until, ok := entry.history.Trial()
	if !ok {
		return nil, func() {}
	}
	g, err := before.Gateway(entry.file)
	if err != nil {
		d.log.Warn(fmt.Sprintf("%s could not be rolled back to revision %d", entry.file.Name, before.Number), event("history-lost"),
			zap.String("gateway", entry.file.Name), zap.Error(err))
		return nil, func() {}
	}
	release, _ := entry.defined.add(number(before.Number), g) // its listeners may be had when it is needed
	return &supervisor.Trial{Previous: number(before.Number), Policy: d.policy(g), Until: trialEnd(time.Now(), until, serving.Deploy.Confirm)}, release
}

// trialEnd bounds what was written down by a clock that may have been set back since: a
// trial never lasts longer than it was given.
func trialEnd(now, until time.Time, confirm time.Duration) time.Time {
	if most := now.Add(confirm); until.After(most) {
		return most
	}
	return until
}

// number is a revision as the supervisor and the launcher know it.
func number(n int) string { return strconv.Itoa(n) }
