package metrics

import "github.com/gatewayd/gatewayd/pkg/supervisor"

// families are what is told of each gateway.
var families = []struct {
	name, kind, help string
	value            func(supervisor.Status) float64
}{
	{"launch", "gauge", "Number of the launch that serves, or did last; 0: none yet.", func(s supervisor.Status) float64 { return float64(s.Launch) }},
	{"restarts_total", "counter", "Launches that followed an end nobody asked for.", func(s supervisor.Status) float64 { return float64(s.Restarts) }},
	{"failures", "gauge", "Ends nobody asked for, in a row.", func(s supervisor.Status) float64 { return float64(s.Failures) }},
	{"phase_begin_seconds", "gauge", "When the phase began, since the epoch.", func(s supervisor.Status) float64 { return float64(s.Since.UnixMilli()) / 1000 }},
	{"standbys", "gauge", "Launches that wait to take over.", standbys},
	{"deploying", "gauge", "1 while another revision is on its way.", func(s supervisor.Status) float64 { return oneIf(s.Deploying != nil) }},
	{"provisional", "gauge", "1 while the revision may be rolled back.", func(s supervisor.Status) float64 { return oneIf(!s.Provisional.IsZero()) }},
	{"draining", "gauge", "Launches that finish what they have.", func(s supervisor.Status) float64 { return float64(len(s.Draining)) }},
	{"leftovers", "gauge", "Launches of which something could not be cleaned.", func(s supervisor.Status) float64 { return float64(len(s.Leftovers)) }},
}

func writeGateways(t *text, all []supervisor.Status) {
	t.family("gatewayd_gateway_phase", "gauge", "1 for the phase that the gateway is in, 0 for the others.")
	for _, s := range all {
		for _, p := range supervisor.Phases() { // who asks for one that never was gets 0
			t.sample(oneIf(p == s.Phase), "gateway", s.Name, "phase", string(p))
		}
	}
	for _, f := range families {
		t.family("gatewayd_gateway_"+f.name, f.kind, f.help)
		for _, s := range all {
			t.sample(f.value(s), "gateway", s.Name)
		}
	}
}

// standbys counts one that has come to stay, not one that is on its way.
func standbys(s supervisor.Status) float64 {
	if s.Standby == nil {
		return 0
	}
	switch s.Standby.State {
	case "created", "frozen", "checking":
		return 1
	}
	return 0
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
