package e2e

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// two gateways, one of which forks and buries directories.
const two = serving + `
[gateway.forks]
rootfs = "$ROOTFS"
command = ["/gateway", "bury=/dir", "orphan=1h", "serve=127.0.0.1:$PORT2"]
ready.probe = "http://127.0.0.1:$PORT2/"
ready.interval = "100ms"
`

// kill -9 of a gatewayd that has all running: the next one finds a clean place.
func TestKilledWhenReady(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "killed")
	i.configure(two)
	i.mustStart()
	before, _ := i.states()
	i.killed()
	after, err := i.states()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range after {
		if s.ID == before[name].ID {
			t.Errorf("%s still runs in the container of the dead gatewayd", name)
		}
		if err := kill(before[name].Pid, 0); err == nil {
			t.Errorf("pid %d of the old %s is alive", before[name].Pid, name)
		}
	}
	i.mustStop()
	i.mustBeNothing()
}

// kill -9 at any moment of the start, the crash, the restart or the stop.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "killed-random")
	i.configure(two)
	i.mustStart()
	for round := range longer(12, 150) {
		after := time.Duration(rand.IntN(150)) * time.Millisecond
		what := i.disturb(round)
		time.Sleep(after) // a moment, not a wait for anything
		t.Logf("round %d: %s, killed after %s", round, what, after)
		i.killed()
	}
	i.mustStop()
	i.mustBeNothing()
}

// disturb has something going on when the kill comes.
func (i *instance) disturb(round int) string {
	switch round % 3 {
	case 0: // the start of a new gatewayd
		_ = kill(i.mainPid(), syscall.SIGKILL)
		return "starting"
	case 1: // launches that end and begin
		all, _ := i.states()
		for _, s := range all {
			if s.Pid > 1 {
				_ = kill(s.Pid, syscall.SIGKILL)
			}
		}
		return "restarting gateways"
	default:
		_ = kill(i.mainPid(), syscall.SIGTERM)
		return "stopping"
	}
}

// killed kills gatewayd, and waits until there is exactly one container of each
// gateway again.
func (i *instance) killed() {
	i.t.Helper()
	if pid := i.mainPid(); pid > 1 {
		_ = kill(pid, syscall.SIGKILL)
	}
	eventually(i.t, "one container a gateway", func() error {
		switch i.property("ActiveState") {
		case "inactive", "failed": // it had ended by the SIGTERM before
			_ = i.start()
		}
		if pid := i.mainPid(); pid <= 1 {
			return fmt.Errorf("no gatewayd runs")
		}
		return i.exactly(2)
	})
}

// A gatewayd that hangs is killed by the watchdog, and its restart leaves
// exactly one container.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "watchdog")
	i.dropIn("WatchdogSec=2s\nTimeoutAbortSec=1s")
	i.configure(two)
	i.mustStart()
	pid := i.mainPid()
	if err := kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a restart by the watchdog", func() error {
		if now := i.mainPid(); now == pid || now == 0 {
			return fmt.Errorf("the main pid is %d", now)
		}
		return i.exactly(2)
	})
	i.awaitRecord("the watchdog", func(r record) bool {
		return contains(r.message(), "watchdog") == nil || contains(r.message(), "Watchdog") == nil
	})
}

// While gatewayd answers, the watchdog is fed.
func TestWatchdogIsFed(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "watchdog-fed")
	i.dropIn("WatchdogSec=1s")
	i.configure(serving)
	i.mustStart()
	pid := i.mainPid()
	began := time.Now()
	// The watchdog's own clock is what is waited for.
	eventually(t, "three watchdog periods", func() error {
		if time.Since(began) < 3*time.Second {
			return fmt.Errorf("not over")
		}
		return nil
	})
	if now := i.mainPid(); now != pid {
		t.Errorf("gatewayd was restarted: pid %d, then %d", pid, now)
	}
}

// ExecStopPost= alone cleans up after a gatewayd that is killed and not
// restarted.
func TestReapAfterAKill(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "reap")
	i.dropIn("Restart=no")
	i.configure(two)
	i.mustStart()
	_ = kill(i.mainPid(), syscall.SIGKILL)
	eventually(t, "the end of the unit", func() error {
		if state := i.property("ActiveState"); state != "failed" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	if err := i.nothing(); err != nil {
		t.Error(err)
	}
	// Its process may have ended before journald could see whose it was.
	records := i.records("EVENT=sweep-cleaned")
	for _, r := range records {
		if unit := r.field("USER_UNIT"); unit != i.unit {
			t.Errorf("%q is told as of unit %q", r.message(), unit)
		}
	}
	if len(records) != 2 {
		t.Errorf("of two launches it says %v", records)
	}
	if data := names(filepath.Join(i.state, "rootfs")); len(data) != 0 {
		t.Errorf("staged trees are left: %v", data)
	}
	if pid, _ := strconv.Atoi(i.property("ControlPID")); pid != 0 {
		t.Errorf("pid %d still reaps", pid)
	}
}
