package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/internal/revisions"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// describeTraffic tells what waits to take over, what is deployed, and what
// drains.
func (d *daemon) describeTraffic(g *control.Gateway, entry gateway, s supervisor.Status) {
	g.Provisional, g.Previous = s.Provisional, s.Previous
	g.RolledBack, g.RolledBackAt = text(s.RolledBack), s.RolledBackAt
	if p := s.Deploying; p != nil {
		g.Deploy = &control.Deploy{Revision: p.Revision, Launch: p.Launch, Stage: string(p.Stage), Canary: p.Canary, Until: p.Until}
	}
	for _, l := range s.Draining {
		g.Draining = append(g.Draining, control.Drain{Launch: l.Launch, InFlight: l.InFlight, Asked: l.Asked, Until: l.Until})
	}
	if l := s.Drained; l.Launch > 0 {
		g.Drained = &control.Drained{Launch: l.Launch, Cut: l.Cut, At: l.At}
	}
	if entry.history != nil {
		g.Listens = describePorts(entry, s)
		g.Override = override(entry, s.Revision)
		g.Standby = d.describeStandby(entry, s)
	}
}

// describePorts tells of the listens of the revision that serves: of what its
// launch has of them, if there is one.
func describePorts(entry gateway, s supervisor.Status) []control.Port {
	infos := slices.Concat(entry.launcher.Info(s.Launch).Listens, entry.launcher.Listens())
	var ports []control.Port
	for _, l := range entry.defined.get(s.Revision).Listen {
		i := slices.IndexFunc(infos, func(i launch.ListenInfo) bool { return i.Name == l.Name && i.Address == l.Address })
		if i < 0 {
			ports = append(ports, control.Port{Name: l.Name, Address: l.Address, Mode: l.Mode, Slot: -1, InFlight: -1, Error: "nobody listens there"})
			continue
		}
		ports = append(ports, describePort(infos[i]))
	}
	return ports
}

func describePort(i launch.ListenInfo) control.Port {
	return control.Port{
		Name: i.Name, Address: i.Address, Mode: i.Mode, Kind: string(i.Kind), Why: i.Why, Trouble: i.Trouble, Slot: i.Slot,
		Waiting: i.Waiting, InFlight: i.InFlight, Limit: i.Limit, Rescued: i.Rescued, Accepted: i.Accepted, Refused: i.Refused,
	}
}

func (d *daemon) describeStandby(entry gateway, s supervisor.Status) *control.Standby {
	if s.Standby == nil {
		return nil
	}
	wanted := entry.defined.get(s.Revision)
	described := &control.Standby{
		Kind: wanted.Standby.Mode, Why: d.notWarm(wanted), Launch: s.Standby.Launch, State: s.Standby.State, Since: s.Standby.Since,
		Error: text(s.Standby.Err), Next: s.Standby.Next,
	}
	if described.Why != "" {
		described.Kind = string(supervisor.CreatedStandby)
	}
	return described
}

// override says why a revision is not what the configuration says; nothing when
// it is.
func override(entry gateway, revision string) string {
	if entry.defined.get(revision).Revision() == entry.file.Revision() {
		return ""
	}
	n, _ := strconv.Atoi(revision)
	r, ok := entry.history.Get(n)
	if !ok {
		return ""
	}
	if last, ok := entry.history.Refused(n); ok {
		return fmt.Sprintf("revision %d, which is, %s", last.Number, became(last))
	}
	return fmt.Sprintf("it came by %s", r.Why)
}

// became says what became of a revision that does not serve.
func became(r revisions.Revision) string {
	if r.Outcome == revisions.Failed {
		return "failed"
	}
	return "was " + string(r.Outcome)
}
