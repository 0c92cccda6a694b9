// Package systemd_test holds the unit files to what gatewayd needs of them.
package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// common is what both units say. The tests want these lines and no other: most
// of systemd's options would break containers, so a new one needs a thought, and
// then a line here.
var common = map[string]string{
	"Documentation":            "man:gatewayd(1)",
	"StartLimitIntervalSec":    "0",
	"Type":                     "notify",
	"NotifyAccess":             "main",
	"ExecStart":                "@PREFIX@/bin/gatewayd run",
	"ExecReload":               "@PREFIX@/bin/gatewayd reload",
	"ExecStopPost":             "@PREFIX@/bin/gatewayd reap",
	"TimeoutStartSec":          "60s",
	"TimeoutStopSec":           "60s",
	"Delegate":                 "yes",
	"KillMode":                 "mixed",
	"OOMPolicy":                "continue",
	"FileDescriptorStoreMax":   "640",
	"NonBlocking":              "yes",
	"WatchdogSec":              "30s",
	"Restart":                  "on-failure",
	"RestartSec":               "100ms",
	"RestartPreventExitStatus": "78",
	"RuntimeDirectory":         "gatewayd",
	"RuntimeDirectoryPreserve": "yes",
	"UMask":                    "0077",
	"LimitCORE":                "0",
}

var units = []struct {
	file, manager string
	own           map[string]string
}{
	{"gatewayd.service", "--user", map[string]string{
		"Description":          "gatewayd, keeps gateways alive in rootless containers",
		"RuntimeDirectoryMode": "0700",
		"WantedBy":             "default.target",
	}},
	{"gatewayd-system.service", "--system", map[string]string{
		"Description":             "gatewayd, keeps gateways alive in containers",
		"After":                   "network.target",
		"RuntimeDirectoryMode":    "0711",
		"StateDirectory":          "gatewayd",
		"StateDirectoryMode":      "0711",
		"LogRateLimitIntervalSec": "0",
		"WantedBy":                "multi-user.target",
	}},
}

func TestUnitsSayWhatIsNeededAndNoMore(t *testing.T) {
	for _, unit := range units {
		want := map[string]string{}
		for _, lines := range []map[string]string{common, unit.own} {
			for key, value := range lines {
				want[key] = value
			}
		}
		if diff := cmp.Diff(want, parse(t, read(t, unit.file))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", unit.file, diff)
		}
	}
}

// The example holds what systemd would otherwise do to a socket of ours.
func TestSocketSaysWhatIsNeededAndNoMore(t *testing.T) {
	want := map[string]string{
		"Description":             "what systemd listens on for the gateways of gatewayd",
		"Documentation":           "man:gatewayd(1)",
		"ListenStream":            "127.0.0.1:8090",
		"FileDescriptorName":      "web",
		"Backlog":                 "4096",
		"TriggerLimitIntervalSec": "0",
		"WantedBy":                "sockets.target",
	}
	if diff := cmp.Diff(want, parse(t, read(t, "gatewayd.socket"))); diff != "" {
		t.Errorf("gatewayd.socket (-want +got):\n%s", diff)
	}
}

func TestUnitsVerify(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		testenv.Skip(t, "needs systemd-analyze: apt-get install systemd")
	}
	for _, unit := range units {
		prefix := t.TempDir()
		write(t, filepath.Join(prefix, "bin/gatewayd"), "#!/bin/sh\n", 0o755)
		path := filepath.Join(prefix, "gatewayd.service")
		write(t, path, strings.ReplaceAll(read(t, unit.file), "@PREFIX@", prefix), 0o644)
		socket := filepath.Join(prefix, "gatewayd.socket")
		write(t, socket, read(t, "gatewayd.socket"), 0o644)
		command := exec.Command("systemd-analyze", unit.manager, "--man=no", "--recursive-errors=no", "verify", path, socket)
		command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
		if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze %s verify %s: %v\n%s", unit.manager, unit.file, err, out)
		}
	}
}

// What systemd made of the installed units: no option implied another that
// containers could not live with.
func TestInstalledUnits(t *testing.T) {
	testenv.NeedHost(t)
	manager := "--user"
	if os.Getuid() == 0 {
		manager = "--system"
	}
	want := map[string]string{
		"LoadState": "loaded", "NeedDaemonReload": "no", "Type": "notify", "Delegate": "yes", "KillMode": "mixed",
		"NoNewPrivileges": "no", "RestrictNamespaces": "no", "ProtectProc": "default",
		"ProcSubset": "all", "ProtectControlGroups": "no", "ProtectKernelTunables": "no", "PrivateUsers": "no",
		"RestartUSec": "100ms", "StartLimitIntervalUSec": "0", "LimitCORE": "0",
		"UMask": "0077", "OOMPolicy": "continue", "FileDescriptorStoreMax": "640", "NonBlocking": "yes",
	}
	args := []string{manager, "show", "gatewayd.service"}
	for key := range want {
		args = append(args, "--property", key)
	}
	out, err := exec.Command("systemctl", args...).Output()
	if err != nil {
		t.Fatalf("systemctl %v: %v", args, err)
	}
	if diff := cmp.Diff(want, parse(t, string(out))); diff != "" {
		t.Errorf("%s unit (-want +got):\n%s", manager, diff)
	}
}

// Installed, and not in use until somebody enables it.
func TestInstalledSocket(t *testing.T) {
	testenv.NeedHost(t)
	manager := "--user"
	if os.Getuid() == 0 {
		manager = "--system"
	}
	out, err := exec.Command("systemctl", manager, "show", "gatewayd.socket", "--property", "LoadState,ActiveState,UnitFileState,Triggers").Output()
	want := map[string]string{"LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "disabled", "Triggers": "gatewayd.service"}
	if diff := cmp.Diff(want, parse(t, string(out))); err != nil || diff != "" {
		t.Errorf("%s gatewayd.socket: %v (-want +got):\n%s", manager, err, diff)
	}
}

// parse returns the assignments of a unit, in whatever section.
func parse(t *testing.T, text string) map[string]string {
	t.Helper()
	assignments := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "[") {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if _, twice := assignments[key]; !found || twice {
			t.Fatalf("not one assignment of its own: %q", line)
		}
		assignments[key] = value
	}
	return assignments
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
