// Package metrics tells programs how gateways do, as Prometheus reads it.
//
//	m := metrics.New(version, s.Status)
//	m.Observe(event) // each one
//	text := m.Text()
//
// What a gateway is, its status tells at that moment; what happened to it is
// counted, since this image of gatewayd runs. No label has a text that a program
// or a person wrote, but for names of gateways, which are short and plain.
//
// The text is written by hand: the client library takes 2 ms of each start of the
// binary, and it is started for hooks and probes as well. The tests have it judge
// what is written.
package metrics

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Metrics are those of one gatewayd. Its methods may be called from any goroutine.
type Metrics struct {
	version string
	status  func() []supervisor.Status

	mu     sync.Mutex
	events map[event]int
}

// event is what is counted.
type event struct {
	gateway string
	kind    supervisor.EventKind
}

// New returns the metrics of a gatewayd. status must not wait.
func New(version string, status func() []supervisor.Status) *Metrics {
	return &Metrics{version: version, status: status, events: make(map[event]int)}
}

// Observe counts an event.
func (m *Metrics) Observe(e supervisor.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events[event{e.Gateway, e.Kind}]++
}

// Forget drops what was counted of a gateway that is no more.
func (m *Metrics) Forget(gateway string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.events, func(e event, _ int) bool { return e.gateway == gateway })
}

// Text is all of them in the text format of Prometheus, version 0.0.4.
func (m *Metrics) Text() string {
	var t text
	t.family("gatewayd_build_info", "gauge", "1, with the version that runs.")
	t.sample(1, "version", m.version)
	t.family("go_goroutines", "gauge", "Goroutines of gatewayd.")
	t.sample(float64(runtime.NumGoroutine()))
	m.writeEvents(&t)
	writeGateways(&t, m.status())
	return t.String()
}

func (m *Metrics) writeEvents(t *text) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t.family("gatewayd_events_total", "counter", "What happened to the gateway, by the names that EVENT= has in the journal.")
	for _, e := range slices.SortedFunc(maps.Keys(m.events), func(a, b event) int {
		return cmp.Or(cmp.Compare(a.gateway, b.gateway), cmp.Compare(a.kind, b.kind))
	}) {
		t.sample(float64(m.events[e]), "gateway", e.gateway, "event", string(e.kind))
	}
}
