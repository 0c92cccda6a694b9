// Package host_test boots throw-away hosts and holds them to what the other
// tests rely on.
package host_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// needMachine skips t in a host: one inside another is nobody's case.
func needMachine(t *testing.T) {
	testenv.NeedRoot(t)
	if os.Getenv("GATEWAYD_TEST_HOST") == "root" {
		testenv.Skip(t, "boots hosts, so it runs outside of one")
	}
}

func TestTwoHostsSideBySide(t *testing.T) {
	needMachine(t)
	first, second := up(t), up(t)
	for _, dir := range []string{first, second} {
		if out := host(t, 0, "exec", dir, "--", "systemctl", "--user", "is-system-running"); out != "running\n" {
			t.Errorf("the user manager is %q", out)
		}
		if out := host(t, 0, "exec", dir, "--root", "--", "systemctl", "--failed", "--no-legend"); out != "" {
			t.Errorf("units failed: %s", out)
		}
	}
	host(t, 0, "exec", first, "--root", "--", "touch", "/only-here", "/home/only-here", "/tmp/only-here")
	host(t, 2, "exec", second, "--root", "--", "ls", "/only-here", "/home/only-here", "/tmp/only-here")
	if _, err := os.Stat("/only-here"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file made in the host is on the machine: %v", err)
	}
	down(t, first)
	host(t, 0, "run", second, "--", "true") // not touched by the other's end
	down(t, second)
}

func TestRunPassesItAllOn(t *testing.T) {
	needMachine(t)
	dir := up(t)
	for _, who := range []struct{ flag, uid, cgroup string }{
		{"--user", "1", "/user.slice/"},
		{"--root", "0", "/system.slice/"},
	} {
		script := `id -u; grep ^0:: /proc/self/cgroup; mkdir "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/leaf" && cat; exit 7`
		command := exec.Command("./host", "run", dir, who.flag, "--", "bash", "-c", script)
		command.Stdin = strings.NewReader("words")
		out, err := command.Output()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("run %s: %v, want exit status 7", who.flag, err)
		}
		text := string(out)
		if !strings.HasPrefix(text, who.uid) || !strings.Contains(text, who.cgroup) || !strings.HasSuffix(text, "\nwords") {
			t.Errorf("run %s: got %q", who.flag, text)
		}
	}
}

func TestDownAfterAnUpThatFailed(t *testing.T) {
	needMachine(t)
	broken := t.TempDir()
	copyFile(t, "host", filepath.Join(broken, "host"))
	if err := os.WriteFile(filepath.Join(broken, "boot"), []byte("#!/bin/sh\nsleep 1000 &\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir := state(t)
	if out, err := exec.Command(filepath.Join(broken, "host"), "up", dir).CombinedOutput(); err == nil {
		t.Errorf("up succeeded: %s", out)
	}
	down(t, dir)
	host(t, 0, "down", dir) // and once more
}

func TestDownRemovesNothingElse(t *testing.T) {
	needMachine(t)
	dir := t.TempDir()
	copyFile(t, "host", filepath.Join(dir, "precious"))
	host(t, 0, "down", dir)
	if _, err := os.Stat(filepath.Join(dir, "precious")); err != nil {
		t.Error(err)
	}
}

// up boots a host that is down again after the test.
func up(t *testing.T) string {
	t.Helper()
	dir := state(t)
	host(t, 0, "up", dir)
	return dir
}

// state is a directory for a host, which is down at the latest when the test
// ends, or where make test ends all that lie in GATEWAYD_TEST_HOSTS: a test that
// is killed ends nothing.
func state(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(os.Getenv("GATEWAYD_TEST_HOSTS"), "host-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		host(t, 0, "down", dir)
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("down left %s: %v", dir, err)
		}
	})
	return dir
}

// down ends a host and looks for what it could leave. No process can be left
// where its cgroup is gone.
func down(t *testing.T, dir string) {
	t.Helper()
	cgroup, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	host(t, 0, "down", dir)
	if _, err := os.Stat(strings.TrimSpace(string(cgroup))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("down left %s: %v", cgroup, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("down left a mount below %s: %v\n%s", dir, err, mounts)
	}
}

func host(t *testing.T, want int, args ...string) string {
	t.Helper()
	command := exec.Command("./host", args...)
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	err := command.Run()
	if code := command.ProcessState.ExitCode(); code != want {
		t.Fatalf("host %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), complaint.String())
	}
	return out.String()
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
