package systemd

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestReadEnvironment(t *testing.T) {
	me := strconv.Itoa(os.Getpid())
	for name, value := range map[string]string{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": me, "SYSTEMD_EXEC_PID": me, "MANAGERPID": "7", "JOURNAL_STREAM": "1:2"} {
		t.Setenv(name, value)
	}
	e, err := ReadEnvironment()
	e.Unit = "" // that of the test's
	if want := (Environment{NotifySocket: "/run/n", Watchdog: 30 * time.Second, Service: true, User: true}); err != nil || e != want {
		t.Errorf("%+v, %v", e, err)
	}
	t.Setenv("WATCHDOG_PID", "1") // meant for another process
	t.Setenv("SYSTEMD_EXEC_PID", "1")
	if e, err := ReadEnvironment(); err != nil || e.Watchdog != 0 || e.Service {
		t.Errorf("%+v, %v", e, err)
	}
	t.Setenv("WATCHDOG_USEC", "soon")
	if e, err := ReadEnvironment(); err == nil || e.NotifySocket != "/run/n" {
		t.Errorf("%+v, %v", e, err)
	}
}

// A service that is started while journald is away gets /dev/null, and logs to the
// journal all the same: it may be back soon. A shell that sends us there means it.
func TestReadEnvironmentWithoutAJournal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	stdout, stderr := os.Stdout, os.Stderr
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	t.Setenv("JOURNAL_STREAM", "")
	for pid, want := range map[string]bool{strconv.Itoa(os.Getpid()): true, "": false} {
		t.Setenv("SYSTEMD_EXEC_PID", pid)
		os.Stdout, os.Stderr = null, null
		if e, err := ReadEnvironment(); err != nil || e.Journal != want {
			t.Errorf("started by %q: %+v %v", pid, e, err)
		}
		os.Stderr = stderr
		if e, err := ReadEnvironment(); err != nil || e.Journal {
			t.Errorf("with a stderr: %+v %v", e, err)
		}
	}
}

func TestReadEnvironmentOfAShell(t *testing.T) {
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "SYSTEMD_EXEC_PID", "MANAGERPID", "JOURNAL_STREAM"} {
		t.Setenv(name, "")
	}
	if e, err := ReadEnvironment(); err != nil || e != (Environment{}) {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestUnitIn(t *testing.T) {
	for cgroups, want := range map[string]string{
		"0::/user.slice/user-7.slice/user@7.service/app.slice/gatewayd.service/supervisor\n": "gatewayd.service",
		"0::/system.slice/gatewayd.service/.control\n":                                       "gatewayd.service",
		"4:memory:/other.service\n1:name=systemd:/system.slice/gatewayd.service\n0::/\n":     "gatewayd.service",
		"0::/user.slice/user-7.slice/session-1.scope\n":                                      "",
		"":   "",
		"0:": "",
	} {
		if unit := unitIn(cgroups); unit != want {
			t.Errorf("%q: unit %q, want %q", cgroups, unit, want)
		}
	}
}

// The unit is one component of a path that is there, and wherever below it a process
// is, it is the same.
func FuzzUnit(f *testing.F) {
	f.Add("0::/user.slice/app.slice/gatewayd.service/supervisor\n")
	f.Add("12:pids:/a.service\n1:name=systemd:/b.service\n0::/\n")
	f.Fuzz(func(t *testing.T, cgroups string) {
		unit := unitIn(cgroups)
		if unit == "" {
			return
		}
		if !strings.HasSuffix(unit, ".service") || strings.ContainsAny(unit, "/\n") || !strings.Contains(cgroups, unit) {
			t.Errorf("the unit is %q", unit)
		}
		if below := unitIn("0::/" + unit + "/below\n" + cgroups); below != unit {
			t.Errorf("below it is %q, not %q", below, unit)
		}
	})
}
