package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/test/bench/machine"
)

var update = flag.Bool("update", false, "accept what is written as right")

func TestMarkdown(t *testing.T) {
	r := Result{Samples: 3, Machine: machine.Machine{Processors: 2, Model: "Some CPU", Kernel: "6.18.0", System: "Debian GNU/Linux 12",
		Programs: []machine.Program{{Name: "systemd", Version: "252"}, {Name: "podman"}, {Name: "youki", Version: "0.7.0"}}},
		Columns: []Figures{
			{Key: keyBare, Name: "plain", Start: []float64{50, 60, 55}, Restart: []float64{20, 30, 28}, Idle: &Idle{WatchedFor: 60}},
			{Key: keyPodman, Name: "podman", Start: []float64{240, 246, 300}, Restart: []float64{366, 360, 400},
				Idle: &Idle{Processes: []string{"podman", "conmon"}, PSS: 20e6, RSS: 45.25e6, CPUPerHour: 1.26, WakeUps: 0.5, WatchedFor: 60}},
			{Key: keyGatewayd, Name: "gatewayd", Start: []float64{100, 110, 105}, Restart: []float64{40, 42, 44},
				Idle: &Idle{Processes: []string{"gatewayd"}, PSS: 8e6, RSS: 12e6, CPUPerHour: 2, WakeUps: 6, WatchedFor: 60}},
			{Key: keyNoProbe, Idle: &Idle{Processes: []string{"gatewayd"}, WakeUps: 0.1, WatchedFor: 60}},
		}}
	r.Guarded = &Guarded{Window: []float64{10, 30, 12.25}, Verify: []float64{1, 1.5, 1.25}}
	golden(t, "testdata/table.md", r)
	r.Guarded = nil
	r.Columns[1] = Figures{Key: keyPodman, Name: "podman", Skipped: "podman does not run here: exit status 125\nno such device"}
	r.Columns[2].Idle, r.Columns = nil, r.Columns[:3]
	golden(t, "testdata/without-podman.md", r)
}

func golden(t *testing.T, path string, r Result) {
	t.Helper()
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
