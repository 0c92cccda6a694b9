package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/test/bench/load"
	"github.com/gatewayd/gatewayd/test/bench/machine"
)

var update = flag.Bool("update", false, "accept what is written as right")

func counted(ok, refused, cut int, max float64) load.Result {
	return load.Result{Fresh: load.Count{OK: ok, Refused: refused, Cut: cut, Latency: load.Latency{Max: max}}}
}

func TestMarkdown(t *testing.T) {
	r := newResult(options{})
	r.Took, r.Machine = 500, machine.Machine{Processors: 2, Model: "Some CPU", Kernel: "6.18.0", System: "Debian GNU/Linux 12"}
	for i, ms := range []float64{28, 27, 366, 40, 6, 1.5} {
		c := r.Columns[i]
		c.Kill = []float64{ms, ms + 1, ms - 1}
		c.Crash = &Traffic{Times: 200, Load: counted(9000, 0, 3, 1000), Rescued: int64(i)}
		c.Restart = &Traffic{Times: 10, Load: counted(5000, 0, 0, 20e3+float64(i)*1e3)}
	}
	r.column(warm).Crash.Stray = 1
	r.column(bare).Crash.Load.Fresh.Refused = 1200
	r.column(podman).Slow, r.column(warm).Slow, r.column(bare).Slow = []float64{2366}, []float64{2}, []float64{2028}
	r.column(none).Memory, r.column(created).Memory = []float64{20e6}, []float64{21.5e6}
	r.column(warm).Failed["memory"] = "it does not start"
	r.column(created).Deploy = &Traffic{Times: 100, Load: counted(9000, 0, 0, 1000), Each: []float64{100, 120}}
	r.column(created).Hard = &Traffic{Times: 100, Load: load.Result{Fresh: load.Count{OK: 9000}, Kept: load.Count{OK: 900, Cut: 4}}, Each: []float64{90}}
	r.column(created).Reexec = &Traffic{Times: 20, Load: counted(9000, 0, 1, 1000), Each: []float64{4, 5}}
	r.Paths = newPaths()
	for i := range r.Paths[:4] {
		us := 50 + 8*float64(i)
		r.Paths[i].Kept, r.Paths[i].KeptP99 = []float64{us, us + 2, us - 2}, []float64{2 * us, 2 * us, 2 * us}
		r.Paths[i].Fresh, r.Paths[i].Bulk = []float64{3 * us}, []float64{4000 / us}
	}
	r.Paths[5].Skipped = "no such program"
	r.Proxied, r.Idle = 12000, 5000
	golden(t, "testdata/table.md", &r)
}

func TestMarkdownOfOneRow(t *testing.T) {
	r := newResult(options{})
	r.column(bare).Kill = []float64{28}
	r.ProxiedFailed = "connection refused"
	golden(t, "testdata/kills.md", &r)
}

func golden(t *testing.T, path string, r *Result) {
	t.Helper()
	r.conclude()
	var got strings.Builder
	if err := r.WriteMarkdown(&got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got:\n%s\nwant, or -update:\n%s", got.String(), want)
	}
}

func TestSettled(t *testing.T) {
	ready := control.Gateway{Ready: true, Pid: 7}
	with := func(change func(*control.Gateway)) control.Gateway {
		g := ready
		change(&g)
		return g
	}
	tests := map[string]struct {
		gateway control.Gateway
		want    bool
	}{
		"ready, no standby":  {ready, true},
		"not ready":          {control.Gateway{Pid: 7}, false},
		"created":            {with(func(g *control.Gateway) { g.Standby = &control.Standby{Launch: 2, State: "created"} }), true},
		"frozen":             {with(func(g *control.Gateway) { g.Standby = &control.Standby{Launch: 2, State: "frozen"} }), true},
		"still warming":      {with(func(g *control.Gateway) { g.Standby = &control.Standby{Launch: 2, State: "starting"} }), false},
		"none at the moment": {with(func(g *control.Gateway) { g.Standby = &control.Standby{State: "created"} }), false},
		"a deploy goes on":   {with(func(g *control.Gateway) { g.Deploy = &control.Deploy{} }), false},
		"one drains":         {with(func(g *control.Gateway) { g.Draining = make([]control.Drain, 1) }), false},
	}
	for name, test := range tests {
		if got := settled(test.gateway); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestParse(t *testing.T) {
	if o, err := parse([]string{"-kills", "3", "-run", "kills"}); err != nil || o.kills != 3 || !o.only.MatchString("kills") || o.only.MatchString("crash") {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-kills", "0"}, {"more"}, {"-run", "("}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	if times(podman, 200) != 50 || times(podman, 1) != 1 || times(bare, 200) != 200 {
		t.Error("times")
	}
}
