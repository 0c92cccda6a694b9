package control

import (
	"fmt"
	"strconv"
	"time"
)

// Port is an address that gatewayd listens on for a gateway.
type Port struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Mode     string `json:"mode"`              // inherit or proxy
	Kind     string `json:"kind,omitempty"`    // slots: a socket for each launch; shared: one for all
	Why      string `json:"why,omitempty"`     // there are no slots, and what that costs
	Error    string `json:"error,omitempty"`   // why nobody listens
	Trouble  string `json:"trouble,omitempty"` // what is wrong with it, though somebody listens
	Slot     int    `json:"slot"`              // of the launch that serves; -1: none
	Waiting  int    `json:"waiting"`           // connections that nobody has accepted yet
	InFlight int    `json:"in_flight"`         // connections of the launch that serves; -1: not known
	Limit    int    `json:"limit,omitempty"`   // of in_flight, by the proxy; the next ones wait
	Rescued  int64  `json:"rescued"`           // connections that waited for a launch that had ended, and reached another
	Accepted int64  `json:"accepted"`          // by the proxy, so far
	Refused  int64  `json:"refused"`           // by the proxy, since nothing served for too long
}

// Standby is what waits to take over.
type Standby struct {
	Kind   string    `json:"kind"`          // created or warm
	Why    string    `json:"why,omitempty"` // it is not the kind that is configured
	Launch int       `json:"launch"`        // 0: none at the moment
	State  string    `json:"state"`
	Since  time.Time `json:"since,omitzero"`
	Error  string    `json:"error,omitempty"` // why the last one was lost
	Next   time.Time `json:"next,omitzero"`   // when it is checked or renewed, or the next one made
}

// Deploy is a new revision that does not serve yet.
type Deploy struct {
	Revision string    `json:"revision"`
	Launch   int       `json:"launch"` // 0: it waits for a place
	Stage    string    `json:"stage"`  // waiting, preparing, starting or canary
	Canary   int       `json:"canary"` // percent of new connections that it has
	Until    time.Time `json:"until,omitzero"`
}

// Drain is a launch that gets no new connections, and finishes what it has.
type Drain struct {
	Launch   int       `json:"launch"`
	InFlight int       `json:"in_flight"` // connections; -1: not known
	Asked    bool      `json:"asked"`     // to end: its drain is over
	Until    time.Time `json:"until,omitzero"`
}

// Drained is the last launch that has ended after its drain.
type Drained struct {
	Launch int       `json:"launch"`
	Cut    int       `json:"cut"` // connections that it still had; -1: not known
	At     time.Time `json:"at,omitzero"`
}

// DescribeDeploy says in words how far a deploy is.
func DescribeDeploy(d Deploy, now time.Time) string {
	revision := "revision " + printable(d.Revision)
	switch d.Stage {
	case "canary":
		return fmt.Sprintf("%s has %d%% of new connections, %s left", revision, d.Canary, since(now, d.Until))
	case "starting":
		return fmt.Sprintf("%s: launch %d is probed", revision, d.Launch)
	case "preparing":
		return fmt.Sprintf("%s: launch %d is prepared", revision, d.Launch)
	}
	return revision + " waits for an earlier launch to be gone"
}

// DescribeDrain says in words how far a drain is.
func DescribeDrain(d Drain, now time.Time) string {
	if d.Asked {
		return fmt.Sprintf("launch %d is asked to end, %s in flight, killed in %s", d.Launch, connections(d.InFlight), since(now, d.Until))
	}
	return fmt.Sprintf("launch %d drains, %s in flight, %s left", d.Launch, connections(d.InFlight), since(now, d.Until))
}

func connections(n int) string {
	switch n {
	case -1:
		return "an unknown number of connections"
	case 1:
		return "1 connection"
	}
	return strconv.Itoa(n) + " connections"
}

// traffic is how connections reach the gateway, and what is under way.
func traffic(g Gateway, now time.Time) []string {
	var lines []string
	for _, l := range g.Listens {
		lines = append(lines, describePort(l))
	}
	if g.Standby != nil {
		lines = append(lines, describeStandby(*g.Standby, now))
	}
	if g.Deploy != nil {
		lines = append(lines, "deploy: "+DescribeDeploy(*g.Deploy, now))
	}
	for _, d := range g.Draining {
		lines = append(lines, DescribeDrain(d, now))
	}
	if d := g.Drained; d != nil && d.Cut != 0 {
		lines = append(lines, fmt.Sprintf("launch %d ended %s ago with %s cut", d.Launch, since(d.At, now), connections(d.Cut)))
	}
	return append(lines, standing(g, now)...)
}

func describePort(l Port) string {
	line := fmt.Sprintf("listens on %s (%s, %s", printable(l.Address), printable(l.Name), printable(l.Mode))
	switch {
	case l.Error != "":
		return line + "): " + printable(l.Error)
	case l.Slot >= 0 && l.Kind == "slots":
		line += fmt.Sprintf(", slot %d", l.Slot)
	}
	line += ")"
	if l.InFlight > 0 {
		line += ", " + connections(l.InFlight)
	}
	if l.Limit > 0 {
		line += fmt.Sprintf(", at most %d", l.Limit)
	}
	if l.Waiting > 0 {
		line += fmt.Sprintf(", %d waiting", l.Waiting)
	}
	if l.Rescued > 0 {
		line += fmt.Sprintf(", %d rescued", l.Rescued)
	}
	if l.Refused > 0 {
		line += fmt.Sprintf(", %d refused", l.Refused)
	}
	if l.Trouble != "" {
		line += "; trouble: " + printable(l.Trouble)
	}
	if l.Why != "" && l.Mode != "proxy" { // there only gatewayd accepts
		line += "; shared: " + printable(l.Why)
	}
	return line
}

// standbyNext is what comes at Standby.Next. In other states that is when a call
// has to be answered, which is no news.
var standbyNext = map[string]string{"absent": "the next one", "created": "renewed", "frozen": "checked or renewed"}

func describeStandby(s Standby, now time.Time) string {
	line := "standby: " + printable(s.Kind)
	if s.Launch > 0 {
		line += fmt.Sprintf(", launch %d %s for %s", s.Launch, printable(s.State), since(s.Since, now))
	} else {
		line += ", none at the moment"
	}
	if next := standbyNext[s.State]; next != "" && !s.Next.IsZero() {
		line += ", " + next + " in " + since(now, s.Next)
	}
	if s.Error != "" {
		line += "; the last one was lost: " + printable(s.Error)
	}
	if s.Why != "" {
		line += "; " + printable(s.Why)
	}
	return line
}

// standing is what holds of the revision that serves.
func standing(g Gateway, now time.Time) []string {
	var lines []string
	if g.Override != "" {
		lines = append(lines, "revision "+printable(g.Revision)+" is not what the configuration says: "+printable(g.Override))
	}
	if !g.Provisional.IsZero() && g.Previous != "" {
		lines = append(lines, fmt.Sprintf("revision %s is provisional for %s: until then a crash loop brings revision %s back",
			printable(g.Revision), since(now, g.Provisional), printable(g.Previous)))
	}
	if g.RolledBack != "" {
		lines = append(lines, fmt.Sprintf("rolled back %s ago: %s", since(g.RolledBackAt, now), printable(g.RolledBack)))
	}
	return lines
}
