package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// version makes another packaged tree with the test gateway, and a file in it.
func (i *instance) version(name string, files ...string) string {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	mustMkdir(i.t, path, 0o755)
	mustCopy(i.t, programs.gateway, filepath.Join(path, "gateway"))
	for _, file := range append(files, "version") {
		if err := os.WriteFile(filepath.Join(path, file), []byte(name), 0o644); err != nil {
			i.t.Fatal(err)
		}
	}
	return path
}

// runs is the version that serves.
func (i *instance) runs() string {
	i.t.Helper()
	body, code, err := i.ask("PORT", "/read?path=/version")
	if err != nil {
		i.t.Fatal(err)
	}
	if code != 200 {
		return "as configured"
	}
	return body
}

func (i *instance) mustRun(want string) {
	i.t.Helper()
	if got := i.runs(); got != want {
		i.t.Errorf("what serves is %s, want %s", got, want)
	}
}

// revision is what history --json says of one.
type revision struct {
	Revision, Why, State, Cause, Source, Digest string
	Differs                                     bool
}

func (i *instance) history() (all []revision) {
	i.t.Helper()
	var history struct{ Revisions []revision }
	if err := json.Unmarshal([]byte(i.must("history", "web", "--json")), &history); err != nil {
		i.t.Fatal(err)
	}
	return history.Revisions
}

// Deploys under load lose no client, and a drained launch has none cut.
func TestDeployLosesNobody(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-load")
	i.configure(listening)
	i.mustStart()
	two, three := i.version("two"), i.version("three")
	clients := i.startLoad("PORT")
	for range longer(2, 20) {
		i.must("deploy", "web", "--rootfs", two)
		i.must("deploy", "web", "--rootfs", three, "--wait")
		i.must("rollback", "web")
		i.must("deploy", "web", "--canary", "50%", "--for", "200ms")
	}
	clients.stop(t, refused, late, cut)
	i.mustRun("as configured")
	eventually(t, "one launch", func() error { return i.exactly(1) })
	i.mustStop()
	i.mustBeNothing()
}

// A new launch that does not become ready changes nothing.
func TestDeployThatFails(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-fails")
	i.configure(listening)
	i.mustStart()
	before := i.awaitReady("web")
	empty := filepath.Join(i.dir, "empty")
	mustMkdir(t, empty, 0o755)
	for source, cause := range map[string]string{empty: "/gateway", filepath.Join(i.dir, "missing"): "no such file"} {
		_, stderr, code := i.gatewayd("deploy", "web", "--rootfs", source)
		if code != 1 || !strings.Contains(stderr, cause) || !strings.Contains(stderr, "nothing has changed: revision 1 still serves") {
			t.Errorf("deploy of %s: exit code %d: %s", source, code, stderr)
		}
	}
	if after := i.awaitReady("web"); after.Pid != before.Pid {
		t.Errorf("pid %d became %d", before.Pid, after.Pid)
	}
	for _, args := range [][]string{
		{"--rootfs", "/a", "--bundle", "/b"}, {"--canary", "100%"}, {"--canary", "much"}, {"--for", "-1s"},
	} {
		if _, _, code := i.gatewayd(append([]string{"deploy", "web"}, args...)...); code != 2 {
			t.Errorf("deploy %v: exit code %d", args, code)
		}
	}
	all := i.history()
	if len(all) != 3 || all[0].State != "serving" || all[2].State != "failed" || all[2].Cause == "" || !all[2].Differs {
		t.Errorf("history: %+v", all)
	}
	// Nor at a restart: it was tried.
	if err := i.systemctl("restart", i.unit); err != nil {
		t.Fatal(err)
	}
	i.mustRun("as configured")
}

// A revision that crashes in its first minute is rolled back: the exit code, the
// status, the history and the journal say so, and a restart keeps to it.
func TestDeployIsRolledBack(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-back")
	i.configure(listening)
	i.mustStart()
	two, bad := i.version("two"), i.version("bad", "crash")
	i.must("deploy", "web", "--rootfs", two)
	_, stderr, code := i.gatewayd("deploy", "web", "--rootfs", bad, "--wait")
	if code != 5 || !strings.Contains(stderr, "exited with code 3") || !strings.Contains(stderr, "revision 2 is back") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	i.awaitReady("web")
	i.mustRun("two")
	if table, _, _ := i.gatewayd("status"); !strings.Contains(table, "rolled back") {
		t.Errorf("status says nothing of it:\n%s", table)
	}
	if all := i.history(); len(all) != 3 || all[1].State != "serving" || all[2].State != "rolled back" || !strings.Contains(all[2].Cause, "exited with code 3") {
		t.Errorf("history: %+v", all)
	}
	if err := i.systemctl("restart", i.unit); err != nil {
		t.Fatal(err)
	}
	i.mustRun("two")
}

// What is provisional stays so over the death of gatewayd: a crash loop after it
// still brings the revision before back.
func TestTrialOutlivesGatewayd(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-trial")
	i.configure(listening)
	i.mustStart()
	i.must("deploy", "web", "--rootfs", i.version("two"))
	i.must("deploy", "web", "--rootfs", i.version("three"))
	i.dies()
	i.mustRun("three")
	for range 3 {
		now := i.awaitReady("web")
		if err := kill(now.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		i.awaitLaunch("web", now.Launch)
	}
	i.mustRun("two")
	if all := i.history(); all[1].State != "serving" || all[2].State != "rolled back" {
		t.Errorf("history: %+v", all)
	}
}

// What was deployed holds over a restart until the file changes, and a rollback
// goes back one step.
func TestWhatIsDeployedHolds(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-holds")
	i.configure(listening)
	i.mustStart()
	restart := func() {
		t.Helper()
		if err := i.systemctl("restart", i.unit); err != nil {
			t.Fatal(err)
		}
	}
	if _, stderr, code := i.gatewayd("rollback", "web"); code != 1 || !strings.Contains(stderr, "no earlier revision") {
		t.Errorf("rollback to nothing: exit code %d: %s", code, stderr)
	}
	i.must("deploy", "web", "--rootfs", i.version("two"))
	i.must("deploy", "web", "--rootfs", i.version("three"))
	restart()
	i.mustRun("three")
	i.must("rollback", "web")
	i.mustRun("two")
	restart()
	i.mustRun("two")
	i.configure(listening + "\n# the same, put in other words\n")
	i.must("reload")
	i.mustRun("two")
	i.configure(strings.Replace(listening, `"1m"`, `"2m"`, 1))
	i.must("reload")
	eventually(t, "what is configured", func() error {
		all := i.history()
		if last := all[len(all)-1]; last.State != "serving" || last.Why != "configuration changed" || last.Differs {
			return fmt.Errorf("history: %+v", all)
		}
		return nil
	})
	i.mustRun("as configured")
	if all := i.history(); len(all) != 5 || all[3].Why != "rollback to 2" || all[0].Digest == "" {
		t.Errorf("history: %+v", all)
	}
	i.must("stop", "web")
	if _, stderr, code := i.gatewayd("deploy", "web"); code != 1 || !strings.Contains(stderr, "stopped") {
		t.Errorf("deploy of a stopped gateway: exit code %d: %s", code, stderr)
	}
}

// A restart in the middle of what a reload has begun does not lose it.
func TestReloadThatIsInterrupted(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-interrupted")
	i.configure(listening)
	i.mustStart()
	i.values["ROOTFS"] = i.version("two")
	i.configure(strings.Replace(listening, "deploy.confirm", "deploy.canary = \"50%\"\ndeploy.confirm", 1))
	i.must("reload")
	eventually(t, "a canary", func() error {
		if table, _, _ := i.gatewayd("status"); !strings.Contains(table, "has 50% of new connections") {
			return errors.New(table)
		}
		return nil
	})
	if err := i.systemctl("restart", i.unit); err != nil {
		t.Fatal(err)
	}
	i.mustRun("two")
	if all := i.history(); len(all) != 3 || all[1].State != "interrupted" || all[2].State != "serving" {
		t.Errorf("history: %+v", all)
	}
}

// What was deployed and what may come back is known to another image of gatewayd.
func TestHistoryOverReexec(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-reexec")
	i.configure(listening)
	i.mustStart()
	i.must("deploy", "web", "--rootfs", i.version("two"))
	pid := i.awaitReady("web").Pid
	i.must("reexec")
	if now := i.awaitReady("web").Pid; now != pid {
		t.Errorf("pid %d became %d", pid, now)
	}
	if all := i.history(); len(all) != 2 || all[0].State != "served" || all[1].State != "serving" || all[1].Digest == "" {
		t.Errorf("history: %+v", all)
	}
	if table, _, _ := i.gatewayd("status"); !strings.Contains(table, "revision 2 is provisional") {
		t.Errorf("status:\n%s", table)
	}
	i.must("rollback", "web")
	i.mustRun("as configured")
	i.must("reexec")
	if all := i.history(); len(all) != 3 || all[2].State != "serving" || all[2].Why != "rollback to 1" {
		t.Errorf("history: %+v", all)
	}
}

// A reload deploys a gateway whose source is another tree now, and a rollback to
// a revision whose source has gone that way is refused.
func TestReloadOfAChangedSource(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-source")
	i.configure(strings.Replace(listening, "rootfs", "stage = \"copy\"\nrootfs", 1))
	i.mustStart()
	before := i.awaitReady("web")
	i.must("reload")
	if same := i.awaitReady("web"); same.Launch != before.Launch {
		t.Error("nothing has changed, and there is another launch")
	}
	mustWrite(t, filepath.Join(i.values["ROOTFS"], "version"), "changed in place")
	i.must("reload")
	i.awaitLaunch("web", before.Launch)
	i.mustRun("changed in place")
	eventually(t, "the history of it", func() error {
		if all := i.history(); len(all) != 2 || all[1].Why != "source changed" || all[1].State != "serving" || all[1].Digest == all[0].Digest {
			return fmt.Errorf("history: %+v", all)
		}
		return nil
	})
	if _, stderr, code := i.gatewayd("rollback", "web"); code != 1 || !strings.Contains(stderr, "has changed in place") {
		t.Errorf("rollback: exit code %d: %s", code, stderr)
	}
}
