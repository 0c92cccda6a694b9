package e2e

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// systemctl start returns when the gateway answers, and not before.
func TestStartReturnsWhenTheGatewayAnswers(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "start")
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "sleep=1500ms", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
`)
	began := time.Now()
	i.mustStart()
	if took := time.Since(began); took < 1500*time.Millisecond {
		t.Errorf("start returned after %s, before the gateway could answer", took)
	}
	if body := i.mustAsk("PORT", "/"); body != "ok\n" {
		t.Errorf("the gateway answers %q", body)
	}
	if status := i.property("StatusText"); status != "1 of 1 ready" {
		t.Errorf("STATUS= is %q", status)
	}
	i.mustStop()
	i.mustBeNothing()
	if result := i.property("Result"); result != "success" {
		t.Errorf("the unit ended as %q", result)
	}
}

// While it waits, STATUS= says for whom.
func TestStatusSaysWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "waiting")
	i.configure(`
[gateway.slow]
rootfs = "$ROOTFS"
command = ["/gateway", "sleep=1s", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
`)
	started := make(chan error, 1)
	go func() { started <- i.start() }()
	eventually(t, "STATUS= while it starts", func() error { return contains(i.property("StatusText"), "waiting for slow") })
	if err := <-started; err != nil {
		t.Error(err)
	}
}

// One gateway that is dead does not take the others down with it.
func TestStartWithADeadGateway(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dead")
	i.configure(`
[gateway.healthy]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
[gateway.dead]
rootfs = "$ROOTFS"
command = ["/gateway", "exit=3"]
ready.probe = "http://127.0.0.1:$PORT2/"
ready.start_timeout = "2s"
[gateway.absent]
rootfs = "$DIR/absent"
command = ["/gateway"]
`)
	i.mustStart()
	i.mustAsk("PORT", "/")
	// While a launch of dead is being started it says so, and the cause in between.
	eventually(t, "what systemd shows", func() error {
		status := i.property("StatusText")
		var errs []error
		for _, want := range []string{"1 of 3 ready", "dead", "exited with code 3", "absent failed"} {
			errs = append(errs, contains(status, want))
		}
		return errors.Join(errs...)
	})
	if _, _, code := i.gatewayd("status"); code != 3 {
		t.Errorf("status exits with %d, not 3", code)
	}
	if _, _, code := i.gatewayd("status", "healthy"); code != 0 {
		t.Errorf("status healthy exits with %d, not 0", code)
	}
}

// With not one gateway ready the start fails, and says why.
func TestStartWithNoGatewayReady(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "none-ready")
	i.dropIn("RestartSec=5s") // time to look
	i.configure(`
[gateway.dead]
rootfs = "$ROOTFS"
command = ["/gateway", "out=my last words", "exit=3"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.start_timeout = "1s"
[gateway.absent]
rootfs = "$DIR/absent"
command = ["/gateway"]
`)
	if err := i.start(); err == nil {
		t.Fatal("the start has worked")
	}
	if code := i.property("ExecMainStatus"); code != "1" {
		t.Errorf("exit code %s", code)
	}
	i.awaitRecord("the causes", func(r record) bool {
		return strings.Contains(r.message(), "dead: ") && strings.Contains(r.message(), "exited with code 3") && strings.Contains(r.message(), "absent: ")
	})
	i.mustStop() // systemd would try again and again
	// The empty runtime directory stays: systemd keeps it while it waits.
	if err := i.nothing(); err != nil {
		t.Error(err)
	}
}

// A start that honestly takes longer than TimeoutStartSec= is not cut off. Not in
// parallel: systemd 252 forgets an extension at the daemon-reload of others.
func TestStartExtendsTheTimeout(t *testing.T) {
	i := newInstance(t, "extend")
	i.dropIn("TimeoutStartSec=1s")
	i.configure(`
[gateway.slow]
rootfs = "$ROOTFS"
command = ["/gateway", "sleep=3s", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.start_timeout = "20s"
`)
	i.mustStart()
	i.mustAsk("PORT", "/")
}

// A faulty file is not tried again.
func TestStartWithAFaultyFile(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "faulty")
	i.configure("[gateway.web]\nrotfs = 1\n")
	if err := i.start(); err == nil {
		t.Fatal("the start has worked")
	}
	if code, restarts := i.property("ExecMainStatus"), i.property("NRestarts"); code != "78" || restarts != "0" {
		t.Errorf("exit code %s, %s restarts", code, restarts)
	}
	// By its words: of a process that has ended when journald looks, journald
	// does not know the unit any more.
	eventually(t, "the fault with its place", func() error {
		out, err := exec.Command("journalctl", "--user", "--quiet", "--no-pager", "--output=cat", "SYSLOG_IDENTIFIER=gatewayd").CombinedOutput()
		return errors.Join(err, contains(string(out), i.config+":2:1: "))
	})
}

// The daemon outlives gateways that have ended by their own policy.
func TestEveryGatewayHasEnded(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ended")
	i.configure(`
[gateway.job]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
restart.policy = "never"
`)
	i.mustStart()
	i.tell("PORT", "exit=0")
	i.await("job", "ended", func(s state) bool { return s.Phase == "ended" })
	eventually(t, "STATUS=", func() error {
		return contains(i.property("StatusText"), "every gateway has ended by its own policy")
	})
	if active := i.property("ActiveState"); active != "active" {
		t.Errorf("the unit is %s", active)
	}
	i.mustStop()
	i.mustBeNothing()
}
