package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// templateChanges gives each instance of the unit directories of its own.
const templateChanges = `
[Service]
Environment=XDG_RUNTIME_DIR=%t/e2e-%i XDG_STATE_HOME=%h/e2e/%i/state GATEWAYD_CONFIG=%h/e2e/%i/gatewayd.toml
EnvironmentFile=-%h/e2e/%i/environment
RuntimeDirectory=
RuntimeDirectory=e2e-%i/gatewayd
`

// installTemplate gives the user manager e2e@.service: the installed unit, and
// the changes as a drop-in.
func installTemplate(t testing.TB) {
	t.Helper()
	installed, err := os.ReadFile("/usr/local/lib/systemd/user/gatewayd.service")
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(units(t), "e2e@.service"), string(installed))
	mustWrite(t, filepath.Join(units(t), "e2e@.service.d/instance.conf"), templateChanges)
	reloadManager(t)
}

// dropIn changes the unit of this instance alone.
func (i *instance) dropIn(lines string) {
	i.t.Helper()
	dir := filepath.Join(units(i.t), i.unit+".d")
	mustWrite(i.t, filepath.Join(dir, "test.conf"), "[Service]\n"+lines+"\n")
	i.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	reloadManager(i.t)
}

func units(t testing.TB) string { return filepath.Join(home(t), ".config/systemd/user") }

func reloadManager(t testing.TB) {
	t.Helper()
	if out, err := exec.Command("systemctl", "--user", "daemon-reload").CombinedOutput(); err != nil {
		t.Fatalf("daemon-reload: %v: %s", err, out)
	}
}

// discard ends the instance and removes its directories, after a failed test
// with what systemd and the journal have to say.
func (i *instance) discard() {
	if i.t.Failed() {
		for _, question := range [][]string{
			append([]string{"systemctl"}, append(i.manager, "status", "--no-pager", "--lines=0", i.unit)...),
			append([]string{"journalctl"}, append(i.manager, "--no-pager", "--lines=300", "--output=short-precise", "_SYSTEMD_"+i.unitField()+"="+i.unit, "+", i.unitField()+"="+i.unit)...),
		} {
			out, _ := exec.Command(question[0], question[1:]...).CombinedOutput()
			i.t.Logf("%s", shortened(out))
		}
	}
	_ = i.systemctl("kill", "--signal=KILL", i.unit)
	_ = i.systemctl("stop", i.unit)
	_ = i.systemctl("reset-failed", i.unit)
	// Modes that a gateway took away do not keep its tree.
	_ = exec.Command("chmod", "-R", "u+rwX", i.dir).Run()
	if err := os.RemoveAll(i.dir); err != nil {
		i.t.Errorf("remove the instance: %v", err)
	}
	if i.manager[0] == "--user" {
		_ = os.RemoveAll(i.runtime)
	}
}

// shortened cuts lines that nobody would read: some programs write very long ones.
func shortened(text []byte) string {
	var short strings.Builder
	for line := range strings.Lines(string(text)) {
		fmt.Fprintf(&short, "%.400s\n", strings.TrimRight(line, "\n"))
	}
	return short.String()
}

func (i *instance) unitField() string {
	if i.manager[0] == "--user" {
		return "USER_UNIT"
	}
	return "UNIT"
}

func home(t testing.TB) string {
	t.Helper()
	dir, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustMkdir(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(path, mode); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t testing.TB, path, text string) {
	t.Helper()
	mustMkdir(t, filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkfifo(t testing.TB, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustCopy(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	mustMkdir(t, filepath.Dir(to), 0o755)
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(fmt.Errorf("copy %s: %w", from, err))
	}
}
