// Package testenv says what a test needs of its machine.
//
// A test that needs more than this machine has is skipped with one line that
// names what is missing and how to get it. With GATEWAYD_TEST_ALL=1, which
// continuous integration sets, such a skip is a failure: there nothing may be
// missing.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Skip ends t as skipped, or as failed where every test must run.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("GATEWAYD_TEST_ALL") == "1" {
		t.Fatalf("GATEWAYD_TEST_ALL=1 allows no skip: %s", reason)
	}
	t.Skip(reason)
}

// NeedRoot skips t for an unprivileged user.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		Skip(t, "needs root: run it with sudo or in the test host")
	}
}

// NeedUserManager skips t where no systemd user manager answers for this user.
func NeedUserManager(t testing.TB) {
	t.Helper()
	if err := exec.Command("systemctl", "--user", "show-environment").Run(); err != nil {
		Skip(t, "needs a systemd user manager: run it in the test host (make test)")
	}
}

// Runtime returns the absolute path of the OCI runtime called name ("youki",
// "crun" or "runc"), or skips t. GATEWAYD_TEST_YOUKI names a youki that lies
// elsewhere than in libexec, the PATH or the cache.
func Runtime(t testing.TB, name string) string {
	t.Helper()
	places := []string{"/usr/local/libexec/gatewayd/" + name}
	if home, err := os.UserHomeDir(); err == nil && name == "youki" {
		places = append(places, filepath.Join(home, ".cache/gatewayd/youki-0.7.0/bin/youki"))
	}
	if path := os.Getenv("GATEWAYD_TEST_YOUKI"); path != "" && name == "youki" {
		places = append([]string{path}, places...)
	}
	for _, path := range places {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	Skip(t, "needs "+name+": make setup installs it")
	return ""
}
