package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A stop is a success whatever the gateways make of it, and leaves nothing.
func TestStopIsASuccess(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "stop")
	i.configure(two + `
[gateway.crashes]
rootfs = "$ROOTFS"
command = ["/gateway", "default=TERM"]
[gateway.stays]
rootfs = "$ROOTFS"
command = ["/gateway", "ignore=TERM"]
stop.timeout = "500ms"
`)
	i.mustStart()
	i.mustStop()
	i.mustBeNothing()
	for name, want := range map[string]string{"Result": "success", "ExecMainStatus": "0", "ActiveState": "inactive"} {
		if got := i.property(name); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
}

// How long a stop takes depends on what the program does with the signal.
func TestStopSignal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, step  string
		least, most time.Duration
	}{
		// As PID 1 it would not even notice: the kernel drops the signal.
		{"no-handler", "default=TERM", 0, 2 * time.Second},
		{"ignores", "ignore=TERM", 3 * time.Second, 8 * time.Second},
		{"handles", "sleep=0s", 0, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, "stop-"+c.name)
			i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "` + c.step + `", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
stop.timeout = "3s"
`)
			i.mustStart()
			began := time.Now()
			i.must("stop", "web")
			if took := time.Since(began); took < c.least || took > c.most {
				t.Errorf("the stop took %s, not from %s to %s", took, c.least, c.most)
			}
			if err := i.exactly(0); err != nil {
				t.Error(err)
			}
		})
	}
}

// A second SIGTERM hurries.
func TestSecondSignalHurries(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "hurry")
	i.configure(`
[gateway.stays]
rootfs = "$ROOTFS"
command = ["/gateway", "ignore=TERM"]
stop.timeout = "1h"
`)
	i.mustStart()
	pid := i.mainPid()
	_ = kill(pid, syscall.SIGTERM)
	i.awaitRecord("the first signal", func(record) bool { return true }, "EVENT=launch-stopping")
	_ = kill(pid, syscall.SIGTERM)
	eventually(t, "the end", func() error {
		if state := i.property("ActiveState"); state != "inactive" {
			return fmt.Errorf("the unit is %s", state)
		}
		return nil
	})
	i.mustBeNothing()
	if result := i.property("Result"); result != "success" {
		t.Errorf("the unit ended as %s", result)
	}
}

// A staging that has much left to do delays no other gateway, and SIGTERM is
// obeyed in the middle of it.
func TestStopWhileStaging(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "stop-staging")
	makeBigTree(t, filepath.Join(i.dir, "big"))
	i.configure(serving + `
[gateway.big]
rootfs = "$DIR/big"
stage = "copy"
command = ["/gateway"]
`)
	started := make(chan error, 1)
	go func() { started <- i.start() }()
	i.awaitReady("web")
	if states, err := i.states(); err != nil || states["big"].Phase != "starting" {
		t.Fatalf("big was staged already: it is not big enough: %v %+v", err, states)
	}
	i.mustStop()
	if err := <-started; err == nil {
		t.Error("the start has worked")
	}
	i.mustBeNothing()
	if result := i.property("Result"); result != "success" {
		t.Errorf("the unit ended as %s", result)
	}
	i.neverStarted("big")
}

func makeBigTree(t *testing.T, root string) {
	t.Helper()
	for n := range 60000 {
		dir := filepath.Join(root, fmt.Sprint(n/1000))
		if n%1000 == 0 {
			mustMkdir(t, dir, 0o755)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), []byte("one of many"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// neverStarted fails when a launch came further than it should have.
func (i *instance) neverStarted(name string) {
	i.t.Helper()
	for _, r := range i.records("EVENT=launch-started", "GATEWAY="+name) {
		i.t.Errorf("it was started: %s", r.message())
	}
}

// An operator's stop holds over a restart of gatewayd, and start ends it.
func TestStopHolds(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "holds")
	i.configure(two)
	i.mustStart()
	i.must("stop", "forks")
	if err := i.systemctl("restart", i.unit); err != nil {
		t.Fatal(err)
	}
	states, err := i.states()
	if err != nil || states["forks"].Phase != "stopped" || states["web"].Phase != "ready" {
		t.Errorf("after a restart: %v %+v", err, states)
	}
	if status := i.property("StatusText"); !strings.Contains(status, "stopped on request: forks") {
		t.Errorf("STATUS= is %q", status)
	}
	i.must("start", "forks")
	// A start confirms what the one before has found about overlays.
	eventually(t, "nothing but the two gateways", func() error { return i.exactly(2) })
}

// A launch keeps the stop timeout that it began with, over a reload that changes
// it, and a stop of the unit waits for it.
func TestStopWaitsForTheTimeoutOfTheLaunch(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "old-timeout")
	long := longer(4*time.Second, 70*time.Second) // more than the time beyond the new timeout
	i.configure(strings.Replace(stubborn, "2s", long.String(), 1))
	i.mustStart()
	i.configure(strings.Replace(stubborn, "2s", "100ms", 1))
	i.must("reload")
	began := time.Now()
	i.mustStop()
	if took := time.Since(began); took < long-2*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if result := i.property("Result"); result != "success" {
		t.Errorf("the unit ended as %s", result)
	}
	i.mustBeNothing()
}
