package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A reload that a SIGHUP asks for before the first announcement announces
// nothing: the start returns when the gateway answers, as ever.
func TestHangupBeforeReady(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "hangup")
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "await=/data/go", "serve=127.0.0.1:$PORT"]
mount = [{ source = "data", target = "/data" }]
ready.probe = "http://127.0.0.1:$PORT/"
`)
	started := make(chan error, 1)
	go func() { started <- i.start() }()
	eventually(t, "the wait for web", func() error { return contains(i.property("StatusText"), "waiting for web") })
	_ = kill(i.mainPid(), syscall.SIGHUP)
	i.awaitRecord("the reload", func(record) bool { return true }, "EVENT=config-reloaded")
	select {
	case err := <-started:
		t.Fatalf("the start returned (%v) before the gateway could answer", err)
	case <-time.After(500 * time.Millisecond): // what was said to systemd has arrived by now
	}
	if state := i.property("ActiveState"); state != "activating" {
		t.Errorf("the unit is %s", state)
	}
	mustWrite(t, filepath.Join(i.state, "data/web/go"), "")
	if err := <-started; err != nil {
		t.Error(err)
	}
	i.mustAsk("PORT", "/")
}

// A reload whose client leaves is carried through.
func TestReloadWithoutItsClient(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "client-leaves")
	i.configure(serving + stubborn)
	i.mustStart()
	before := i.awaitReady("web")
	i.configure(serving + `env.static = { ROUND = "1" }` + "\n")
	i.reloadAndLeave(300 * time.Millisecond) // the removal takes longer
	eventually(t, "the removal", func() error {
		states, err := i.states()
		if _, there := states["stubborn"]; there {
			return fmt.Errorf("it is there")
		}
		return err
	})
	i.awaitLaunch("web", before.Launch)
	if err := contains(i.mustAsk("PORT", "/env"), "ROUND=1"); err != nil {
		t.Error(err)
	}
	i.configure(serving + stubborn)
	i.must("reload")
	i.awaitReady("stubborn")
	eventually(t, "both and nothing else", func() error { return i.exactly(2) })
}

const stubborn = `
[gateway.stubborn]
rootfs = "$ROOTFS"
command = ["/gateway", "ignore=TERM", "notify"]
ready.probe = "notify"
stop.timeout = "2s"
`

// The same while another reload waits for a removal: a gateway that is changed
// then is launched again as what it was, or as what it is, and never not at all.
func TestReloadBehindARemoval(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "behind-removal")
	i.configure(serving + stubborn)
	i.mustStart()
	i.configure(serving)
	removed := make(chan string, 1)
	go func() { _, stderr, _ := i.gatewayd("reload"); removed <- stderr }()
	i.await("stubborn", "stopping", func(s state) bool { return s.Phase == "stopping" })
	i.configure(serving + `env.static = { ROUND = "1" }` + "\n")
	i.reloadAndLeave(300 * time.Millisecond)
	if stderr := <-removed; stderr != "" {
		t.Error(stderr)
	}
	before := i.awaitReady("web")
	i.tell("PORT", "exit=1")
	i.awaitLaunch("web", before.Launch)
	eventually(t, "the new environment", func() error {
		env, _, err := i.ask("PORT", "/env")
		return errors.Join(err, contains(env, "ROUND=1"))
	})
	eventually(t, "one container", func() error { return i.exactly(1) })
}

// reloadAndLeave interrupts the client of a reload after a time.
func (i *instance) reloadAndLeave(after time.Duration) {
	i.t.Helper()
	client := exec.Command(programs.gatewayd, "reload")
	client.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+i.runtime, "XDG_STATE_HOME="+filepath.Join(i.dir, "state"))
	if err := client.Start(); err != nil {
		i.t.Fatal(err)
	}
	time.Sleep(after) // a moment, not a wait for anything
	_ = client.Process.Signal(syscall.SIGINT)
	var ended *exec.ExitError
	if err := client.Wait(); err != nil && !errors.As(err, &ended) {
		i.t.Fatal(err)
	}
}

// runtime is of the whole daemon: a reload that meets another one says so, and
// does the rest.
func TestReloadOfTheRuntime(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "reload-runtime")
	i.configure(serving)
	i.mustStart()
	i.configure("runtime = \"/nonexistent/youki\"\n" + serving + "env.static = { ROUND = \"1\" }\n")
	if err := i.systemctl("reload", i.unit); err != nil {
		t.Error(err)
	}
	i.awaitRecord("the runtime that stays", func(r record) bool { return strings.Contains(r.message(), "takes effect when gatewayd is restarted") })
	i.awaitLaunch("web", 1)
	if err := contains(i.mustAsk("PORT", "/env"), "ROUND=1"); err != nil {
		t.Error(err)
	}
}
