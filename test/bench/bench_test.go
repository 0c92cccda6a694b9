package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/test/bench/machine"
)

// TestMain is also a process that looks like an example gateway.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "example-gateway" {
		select {}
	}
	os.Exit(m.Run())
}

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
	golden(t, "testdata/table.md", r)
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

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		samples []float64
		want    float64
	}{{[]float64{7}, 7}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(test.samples); got != test.want {
			t.Errorf("%v: %v, want %v", test.samples, got, test.want)
		}
	}
}

// Only a good answer counts: not a refused connection, not a 503.
func TestAnswers(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 5 || r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	address := srv.Listener.Addr().String()
	srv.Start()
	defer srv.Close()
	if err := answers(t.Context(), address); err != nil || asked.Load() != 5 {
		t.Errorf("after %d questions: %v", asked.Load(), err)
	}
	srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := answers(ctx, address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestAskGivesUpOnSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // its backlog accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := ask(l.Addr().String()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("says: %v", err)
	}
}

func TestGatewayIsFoundByItsCommandLine(t *testing.T) {
	const address = "127.0.0.1:1"
	if pid, err := gatewayPid(address); err == nil {
		t.Fatalf("found %d before it runs", pid)
	}
	// What only names it is not it.
	other := exec.Command("/proc/self/exe", "example-gateway", "--other", "podman", "run", "example-gateway", "--address", address)
	gateway := exec.Command("/proc/self/exe", "example-gateway", "--address", address)
	for _, cmd := range []*exec.Cmd{other, gateway} {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { cmd.Process.Kill(); cmd.Wait() }()
	}
	if pid, err := gatewayPid(address); err != nil || pid != gateway.Process.Pid {
		t.Errorf("found %d, %v; it is %d", pid, err, gateway.Process.Pid)
	}
	pidfd, err := unix.PidfdOpen(gateway.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	gateway.Process.Kill()
	if err := dead(pidfd); err != nil {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	var before, after usage
	if err := before.add(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	for busy := processorTime(t) + 30*time.Millisecond; processorTime(t) < busy; { // work
	}
	for range 20 { // waits: each ends by something
		time.Sleep(time.Millisecond)
	}
	if err := after.add(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	i := idleness(before, after, time.Second)
	if i.CPUPerHour < 0.02*3600 || i.WakeUps < 20 || i.RSS < i.PSS || i.PSS < 1<<20 || len(i.Processes) != 1 {
		t.Errorf("%+v", i)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func TestCleanUpRemovesWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	c := newColumn("x", "x", "")
	c.files[c.unit], c.files[c.unit+".d/bench.conf"] = "text", "text"
	if err := c.write(dir); err != nil {
		t.Fatal(err)
	}
	for name := range c.files {
		if text, err := os.ReadFile(dir + "/" + name); err != nil || string(text) != "text" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		if err := removeUnit(dir + "/" + name); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
