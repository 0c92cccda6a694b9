package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serving is a gateway that answers and restarts quickly.
const serving = `
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "100ms"
`

// However a gateway ends, the cause tells it truly and the next launch comes.
func TestCauseOfAnEnd(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "cause")
	i.configure(serving)
	i.mustStart()
	launch := 1
	for step, want := range map[string]string{
		"exit=3":   "exited with code 3",
		"exit=0":   "",
		"exit=137": "exited with code 137", // which is not a SIGKILL
		"die=SEGV": "ended by signal 11",
	} {
		i.tell("PORT", step)
		after := i.awaitLaunch("web", launch)
		if (want == "") != (after.Cause == "") || !strings.Contains(after.Cause, want) {
			t.Errorf("after %s the cause is %q, not %q", step, after.Cause, want)
		}
		launch = after.Launch
	}
	before := i.awaitReady("web")
	if err := kill(before.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if after := i.awaitLaunch("web", before.Launch); !strings.Contains(after.Cause, "ended by signal 9") {
		t.Errorf("after a kill the cause is %q", after.Cause)
	}
	eventually(t, "nothing but what is ready", func() error { return i.exactly(1) })
}

// A crash loop is told as one wherever a person may look, with cause and time.
func TestCrashLoopIsVisible(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "crash-loop")
	i.configure(serving + `
[gateway.loop]
rootfs = "$ROOTFS"
command = ["/gateway", "exit=7"]
restart = { delay = "50ms", factor = 4.0, max_delay = "20s", jitter = 0.0 }
ready.start_timeout = "1s"
`)
	i.mustStart()
	s := i.await("loop", "crash-looping", func(s state) bool { return s.Phase == "crash-looping" && !s.Next.IsZero() })
	if s.Cause != "exited with code 7" || s.Failures < 3 {
		t.Errorf("status says %+v", s)
	}
	// Here the wait is long enough to look at all three.
	s = i.await("loop", "waiting for long", func(s state) bool { return time.Until(s.Next) > 2*time.Second })
	at := s.Next.Local().Format(time.TimeOnly)
	table, _, code := i.gatewayd("status")
	for _, want := range []string{"crash-looping", "exited with code 7"} {
		if !strings.Contains(table, want) || code != 3 {
			t.Errorf("status exits with %d and says %q, not %q", code, table, want)
		}
	}
	for _, want := range []string{"loop crash-looping", "exited with code 7", at} {
		eventually(t, "STATUS=", func() error { return contains(i.property("StatusText"), want) })
	}
	i.awaitRecord("the crash loop", func(r record) bool {
		return strings.Contains(r.message(), at) && strings.Contains(r.message(), "exited with code 7")
	}, "EVENT=gateway-crash-looping", "GATEWAY=loop")
}

// After max_failures a gateway is left alone, until somebody starts it.
func TestMaxFailures(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "max-failures")
	i.configure(serving + `
[gateway.hopeless]
rootfs = "$ROOTFS"
command = ["/gateway", "exit=7"]
restart = { delay = "10ms", max_failures = 3 }
ready.probe = "http://127.0.0.1:$PORT2/"
`)
	i.mustStart()
	s := i.await("hopeless", "failed", func(s state) bool { return s.Phase == "failed" })
	if s.Launch != 3 {
		t.Errorf("it had %d launches", s.Launch)
	}
	if err := contains(i.property("StatusText"), "hopeless failed"); err != nil {
		t.Error(err)
	}
	_, stderr, code := i.gatewayd("start", "hopeless")
	if err := contains(stderr, "exited with code 7"); err != nil || code != 1 {
		t.Errorf("start exits with %d: %v", code, err)
	}
}

// A gateway that no longer answers well, or at all, is restarted.
func TestUnhealthyGatewayIsRestarted(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"sick", "deaf"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, how)
			i.configure(serving + `ready.timeout = "300ms"
ready.unhealthy_after = 2
stop.timeout = "1s"
`)
			i.mustStart()
			before := i.awaitReady("web")
			i.tell("PORT", how)
			after := i.awaitLaunch("web", before.Launch)
			if err := contains(after.Cause, "unhealthy"); err != nil {
				t.Error(err)
			}
			i.awaitRecord("the bad health", func(r record) bool { return true }, "EVENT=launch-unhealthy", fmt.Sprint("LAUNCH=", before.Launch))
		})
	}
}

// A gateway that never becomes ready is restarted at its start timeout.
func TestStartTimeout(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "start-timeout")
	i.configure(serving + `
[gateway.late]
rootfs = "$ROOTFS"
command = ["/gateway", "once=/data/seen:sleep=1h", "serve=127.0.0.1:$PORT2"]
mount = [{ source = "data", target = "/data" }]
ready = { probe = "http://127.0.0.1:$PORT2/", start_timeout = "1s" }
stop.timeout = "1s"
`)
	i.mustStart()
	if s := i.awaitLaunch("late", 1); !strings.Contains(s.Cause, "not ready in time") {
		t.Errorf("the cause is %q", s.Cause)
	}
	i.mustAsk("PORT2", "/")
}

// A gateway that may end ends for good, and one that crashes comes again.
func TestPolicyOnFailure(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "on-failure")
	i.configure(serving + `restart.policy = "on-failure"` + "\n")
	i.mustStart()
	i.tell("PORT", "exit=1")
	after := i.awaitLaunch("web", 1)
	i.tell("PORT", "exit=0")
	ended := i.await("web", "ended", func(s state) bool { return s.Phase == "ended" })
	if ended.Launch != after.Launch {
		t.Errorf("after a success it had launch %d", ended.Launch)
	}
}
