// Package testenv says what a test needs of its machine.
//
// make test runs the tests up to three times, and no single place can run all of
// them:
//
//	machine  go test ./... where you are: everything that needs neither a
//	         container runtime nor systemd
//	user     in the test host (test/host), as the unprivileged user "gateway"
//	         in a delegated user service: where gatewayd belongs
//	root     in the test host, as root in a delegated system service
//
// A test states its needs by the Need functions and [Runtime], and is skipped
// where they are not met, with one line that names what is missing and how to
// get it. Such a skip is none if another of the runs catches up on it: at the end
// test/verdict compares the three and names each test that ran nowhere. With
// GATEWAYD_TEST_ALL=1, which continuous integration sets, that is a failure.
//
// GATEWAYD_TEST_HOST carries where a test is: "later" on a machine when the test
// host follows, "user" or "root" in it, and nothing for a go test by hand. That
// one stands alone, so there GATEWAYD_TEST_ALL=1 makes each skip a failure at once.
package testenv

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Skip ends t as skipped, or as failed where every test must run and no other
// run can catch up.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("GATEWAYD_TEST_ALL") == "1" && os.Getenv("GATEWAYD_TEST_HOST") == "" {
		t.Fatalf("GATEWAYD_TEST_ALL=1 allows no skip: %s", reason)
	}
	t.Skip(reason)
}

// NeedHost skips t outside the test host: for tests of the installed gatewayd,
// and those that would disturb the machine.
func NeedHost(t testing.TB) {
	t.Helper()
	if !inHost() {
		Skip(t, "needs the test host: make test, or go test -exec (CONTRIBUTING.md)")
	}
}

// NeedRoot skips t for an unprivileged user.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		Skip(t, "needs root: run it with sudo or in the test host")
	}
}

// NeedUnprivileged skips t for root, which may do what the test wants refused.
func NeedUnprivileged(t testing.TB) {
	t.Helper()
	if os.Getuid() == 0 {
		Skip(t, "needs an unprivileged user: run it as one or in the test host")
	}
}

// NeedRange skips t for a user without subordinate ids, and where newuidmap and
// newgidmap are not installed.
func NeedRange(t testing.TB) {
	t.Helper()
	for _, tool := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(tool); err != nil {
			Skip(t, "needs "+tool+": apt-get install uidmap")
		}
	}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		if !names(file, os.Getuid()) {
			Skip(t, "needs a range for this user in "+file+": usermod --add-subuids 100000-165535 --add-subgids 100000-165535, or run it in the test host")
		}
	}
}

// names reports whether an entry of file is of the user uid.
func names(file string, uid int) bool {
	number := strconv.Itoa(uid)
	name := number
	if u, err := user.LookupId(number); err == nil {
		name = u.Username
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if owner, _, _ := strings.Cut(line, ":"); owner == name || owner == number {
			return true
		}
	}
	return false
}

// NeedUserManager skips t where no systemd user manager answers for this user.
func NeedUserManager(t testing.TB) {
	t.Helper()
	if err := exec.CommandContext(t.Context(), "systemctl", "--user", "show-environment").Run(); err != nil {
		Skip(t, "needs a systemd user manager: run it in the test host (make test)")
	}
}

// Runtime returns the absolute path of the OCI runtime called name ("youki",
// "crun" or "runc"), or skips t. It skips as well where the test host follows:
// the same test runs there, rootless and as root, with the cgroup it needs.
// GATEWAYD_TEST_YOUKI names a youki that lies elsewhere than in libexec, the
// cache or the PATH.
func Runtime(t testing.TB, name string) string {
	t.Helper()
	if os.Getenv("GATEWAYD_TEST_HOST") == "later" {
		Skip(t, "runs with "+name+" in the test host")
	}
	for _, path := range places(name) {
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

func places(name string) []string {
	installed := "/usr/local/libexec/gatewayd/" + name
	if name != "youki" {
		return []string{installed}
	}
	paths := []string{os.Getenv("GATEWAYD_TEST_YOUKI"), installed}
	if home, err := os.UserHomeDir(); err == nil {
		paths = append(paths, filepath.Join(home, ".cache/gatewayd/youki-0.7.0/bin/youki"))
	}
	return paths
}

func inHost() bool {
	where := os.Getenv("GATEWAYD_TEST_HOST")
	return where == "user" || where == "root"
}
