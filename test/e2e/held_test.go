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

// misconfigured says so for as long as its source has a file /bad.
const misconfigured = `
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "when=/bad:exit=78", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
`

func (i *instance) bad() string { return filepath.Join(i.values["ROOTFS"], "bad") }

// startHeld starts a gateway that is held.
func (i *instance) startHeld(config string) state {
	i.t.Helper()
	mustWrite(i.t, i.bad(), "")
	i.configure(config)
	i.mustStart() // systemd has nothing to try again
	return i.awaitHeld()
}

func (i *instance) awaitHeld() state {
	i.t.Helper()
	s := i.await("web", "held", func(s state) bool { return s.Phase == "held" })
	if s.Cause != "exited with code 78" || s.Failures != 0 {
		i.t.Errorf("status says %+v", s)
	}
	return s
}

// launches counts those that have ended, of all gatewayds of this instance.
func (i *instance) launches() int { return len(i.records("EVENT=launch-ended", "GATEWAY=web")) }

func (i *instance) mustHaveLaunched(want int) {
	i.t.Helper()
	eventually(i.t, "the last launch", func() error {
		if n := i.launches(); n < want {
			return fmt.Errorf("%d launches, want %d", n, want)
		}
		return nil
	})
	if n := i.launches(); n != want {
		i.t.Errorf("%d launches, want %d", n, want)
	}
}

// A hold is told wherever a person looks, outlives gatewayd however that ends, and
// ends by itself when the source is another one, with nobody asking.
func TestHeldUntilTheSourceChanges(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "held-source")
	i.startHeld(misconfigured)
	table, _, code := i.gatewayd("status")
	for _, want := range []string{"held", "exited with code 78", "gatewayd start web tries at once"} {
		if !strings.Contains(table, want) || code != 3 {
			t.Errorf("status exits with %d and says %q, not %q", code, table, want)
		}
	}
	eventually(t, "STATUS=", func() error { return contains(i.property("StatusText"), "web held (exited with code 78)") })
	i.awaitRecord("the hold", func(r record) bool { return strings.Contains(r.message(), "exited with code 78") }, "EVENT=gateway-held", "GATEWAY=web")
	i.mustHaveLaunched(1)
	metrics := i.must("metrics")
	for _, want := range []string{`gatewayd_gateway_phase{gateway="web",phase="held"} 1`, `gatewayd_events_total{gateway="web",event="gateway-held"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics do not say %s:\n%s", want, metrics)
		}
	}
	since := i.awaitHeld().CauseAt

	if err := i.systemctl("restart", i.unit); err != nil {
		t.Fatal(err)
	}
	i.awaitHeld()
	if err := kill(i.mainPid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "systemd's restart", func() error { return contains(i.property("NRestarts"), "1") })
	if s := i.awaitHeld(); s.CauseAt.Sub(since).Abs() > time.Millisecond { // a hold of its own would be seconds younger
		t.Errorf("held since %v, then since %v", since, s.CauseAt)
	}
	i.mustHaveLaunched(1)
	eventually(t, "nothing but gatewayd", func() error { return i.exactly(0) })

	if err := os.Remove(i.bad()); err != nil {
		t.Fatal(err)
	}
	i.awaitReady("web")
	i.awaitRecord("the release", func(r record) bool { return strings.Contains(r.message(), "its source has changed") }, "EVENT=gateway-released", "GATEWAY=web")
	i.mustHaveLaunched(1) // and one that serves
	i.forgets()
}

// forgets waits until no hold is written down.
func (i *instance) forgets() {
	i.t.Helper()
	eventually(i.t, "no hold is left", func() error {
		held, _ := filepath.Glob(filepath.Join(i.state, "held", "*"))
		keys, _ := filepath.Glob(filepath.Join(i.run, "held.*"))
		return contains(strings.Join(append(held, keys...), " ")+"none", "none")
	})
}

// A reload that changes nothing leaves a gateway held. One that brings another
// configuration does not, and what that lacks is not made up for by the old one.
func TestHeldUntilTheConfigurationChanges(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "held-config")
	i.startHeld(misconfigured)
	i.must("reload")
	i.mustHaveLaunched(1)
	i.configure(misconfigured + `env.static = { A = "1" }` + "\n")
	i.must("reload")
	i.mustHaveLaunched(2)
	i.awaitHeld()
	if _, _, code := i.gatewayd("start", "web"); code != 1 {
		t.Errorf("start of what exits with 78: exit code %d", code)
	}
	i.awaitHeld()
	i.mustHaveLaunched(3)
	if err := os.Remove(i.bad()); err != nil {
		t.Fatal(err)
	}
	i.must("start", "web")
	if out := i.must("history", "web"); strings.Contains(out, "rolled back") {
		t.Error(out)
	}
	i.forgets()
}

// A change while gatewayd does not run is noticed: of a variable, and of a file
// that is secret. Neither value can be found where the hold is written down.
func TestHeldUntilASecretChanges(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "held-secret")
	token := filepath.Join(i.dir, "token")
	secret := func(value string) {
		t.Helper()
		mustWrite(t, token, value)
		if err := os.Chmod(token, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secret("first-token")
	i.environment("E2E_PASSWORD=first-password")
	i.startHeld(misconfigured + `env.required = ["E2E_PASSWORD"]
[[gateway.web.secret]]
name = "token"
source = "file:$DIR/token"
on_change = "none"
`)
	restart := func(want int, meanwhile ...func()) {
		t.Helper()
		i.mustStop()
		for _, do := range meanwhile { // not while gatewayd watches
			do()
		}
		i.mustStart()
		i.awaitHeld()
		i.mustHaveLaunched(want)
		eventually(t, "the hold is written down", func() error {
			text, err := os.ReadFile(filepath.Join(i.state, "held", "web"))
			if err == nil && (strings.Contains(string(text), "first") || strings.Contains(string(text), "second")) {
				t.Errorf("%s", text)
			}
			return err
		})
	}
	restart(1)
	i.environment("E2E_PASSWORD=second-password")
	restart(2)
	restart(2)
	restart(3, func() { secret("second-token") })
	secret("third-token")
	i.must("reload")
	i.mustHaveLaunched(4)
	i.awaitHeld()
	i.must("reload")
	i.mustHaveLaunched(4)
	i.mustStop()
}

// Another image of gatewayd goes on with a hold, and releases it.
func TestHeldOverAReexec(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "held-reexec")
	i.ownBinary()
	i.startHeld(misconfigured)
	i.must("reexec")
	i.awaitHeld()
	i.mustHaveLaunched(1)
	if err := os.Remove(i.bad()); err != nil {
		t.Fatal(err)
	}
	i.must("reload")
	i.awaitReady("web")
	i.forgets()
}

// A stop by an operator takes the place of a hold, and start tries again.
func TestStopOfWhatIsHeld(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "held-stop")
	i.startHeld(misconfigured)
	i.must("stop", "web")
	i.forgets()
	if err := i.systemctl("restart", i.unit); err != nil {
		t.Fatal(err)
	}
	i.await("web", "stopped", func(s state) bool { return s.Phase == "stopped" })
	if _, _, code := i.gatewayd("start", "web"); code != 1 {
		t.Errorf("start of what exits with 78: exit code %d", code)
	}
	i.awaitHeld()
	i.mustHaveLaunched(2)
}

// A deploy whose new launch says that it is misconfigured fails with that, and what
// serves goes on.
func TestDeployThatWouldBeHeld(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "held-deploy")
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "when=/bad:exit=78", "serve=inherit"]
ready.probe = "http://127.0.0.1:$PORT/"
standby = "created"
[[gateway.web.listen]]
name = "http"
address = "127.0.0.1:$PORT"
`)
	i.mustStart()
	before := i.awaitReady("web")
	_, stderr, code := i.gatewayd("deploy", "web", "--rootfs", i.version("misconfigured", "bad"))
	if code != 1 || !strings.Contains(stderr, "exited with code 78") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if after := i.awaitReady("web"); after.Pid != before.Pid {
		t.Errorf("pid %d, then %d", before.Pid, after.Pid)
	}
}

// 75 is no crash: the next launch waits long, and nothing is counted. A rule of the
// file says otherwise.
func TestTemporaryFailure(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "temporary")
	i.configure(serving + `
[gateway.slow]
rootfs = "$ROOTFS"
command = ["/gateway", "exit=75"]
restart.max_failures = 1

[gateway.quick]
rootfs = "$ROOTFS"
command = ["/gateway", "once=/data/0:exit=75", "once=/data/1:exit=75", "once=/data/2:exit=75", "serve=127.0.0.1:$PORT2"]
mount = [{ source = "data", target = "/data" }]
ready.probe = "http://127.0.0.1:$PORT2/"
[[gateway.quick.restart.on]]
exit = ["70-80"]
delay = "10ms"
count = false

[gateway.over]
rootfs = "$ROOTFS"
command = ["/gateway", "die=SEGV"]
[[gateway.over.restart.on]]
signal = ["SIGSEGV"]
action = "stop"
`)
	i.mustStart()
	s := i.await("slow", "in backoff", func(s state) bool { return s.Phase == "backoff" })
	if wait := s.Next.Sub(s.CauseAt); wait < 8*time.Second || s.Failures != 0 {
		t.Errorf("the next launch comes after %v, %d failures", wait, s.Failures)
	}
	if s := i.awaitReady("quick"); s.Restarts != 3 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	i.await("over", "ended", func(s state) bool { return s.Phase == "ended" && strings.Contains(s.Cause, "signal 11") })
}
