package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// order tells the runtime that goes wrong what to do; without lines it behaves.
func (i *instance) order(lines ...string) {
	i.t.Helper()
	real := testenv.Runtime(i.t, "youki")
	mustWrite(i.t, filepath.Join(i.runtime, "runtime-orders"), strings.Join(append([]string{"real " + real}, lines...), "\n"))
}

// disobedient has i run on the runtime that goes wrong.
func (i *instance) disobedient(gateways string) {
	i.t.Helper()
	mustCopy(i.t, programs.runtime, i.values["RUNTIME"])
	i.configure("runtime = \"$RUNTIME\"\n" + gateways)
}

// A runtime call that hangs is ended by a stop, at once.
func TestStopDuringAHangingRuntimeCall(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "start", "delete"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, "hang-"+verb)
			i.disobedient(serving)
			i.order(verb + " web- hang")
			started := make(chan error, 1)
			go func() { started <- i.start() }()
			if verb == "delete" {
				if err := <-started; err != nil {
					t.Fatal(err)
				}
			} else {
				i.awaitCall(verb)
			}
			began := time.Now()
			i.mustStop()
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("the stop took %s", took)
			}
			i.mustBeNothing()
			// A delete that hangs means that gatewayd leaves something to
			// ExecStopPost=, and it says so.
			if result := i.property("Result"); result != "success" && verb != "delete" {
				t.Errorf("the unit ended as %s", result)
			}
		})
	}
}

// awaitCall waits until the runtime is in a call.
func (i *instance) awaitCall(verb string) {
	i.t.Helper()
	eventually(i.t, "a call of "+verb, func() error {
		_, others := i.processes()
		for _, line := range others {
			if strings.Contains(line, " "+verb+" ") {
				return nil
			}
		}
		return fmt.Errorf("not among %v", others)
	})
}

// kill -9 in the middle of a call: neither gatewayd nor the call is there any
// more when the next one begins.
func TestKilledDuringARuntimeCall(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "start", "delete"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, "killed-"+verb)
			i.disobedient(serving)
			i.order(verb + " web- hang")
			go func() { _ = i.start() }()
			if verb == "delete" {
				i.awaitReady("web")
				i.tell("PORT", "exit=1")
			}
			i.awaitCall(verb)
			i.order()
			pid := i.mainPid()
			_ = kill(pid, syscall.SIGKILL)
			eventually(t, "one container", func() error {
				if now := i.mainPid(); now == pid || now == 0 {
					return fmt.Errorf("the main pid is %d", now)
				}
				return i.exactly(1)
			})
			i.mustStop()
			i.mustBeNothing()
		})
	}
}

// Whatever goes wrong in a call, its words are in the cause, nothing is left of
// the launch, and the next one works when the runtime does.
func TestRuntimeGoesWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ order, want string }{
		{"create web- refuse", "out of unicorns"},
		{"create web- die", "create"},
		{"create web- lie", "create"},
		{"create web- late-die", "create"},
		{"start web- refuse", "out of unicorns"},
		{"start web- die", "start"},
	} {
		t.Run(strings.ReplaceAll(c.order, " ", "_"), func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(c.order)
			i := newInstance(t, words[0]+"-"+words[2])
			i.disobedient(serving + `
[gateway.other]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT2"]
ready.probe = "http://127.0.0.1:$PORT2/"
`)
			i.order(c.order)
			go func() { _ = i.start() }()
			s := i.await("web", "failing", func(s state) bool { return s.Cause != "" })
			if err := contains(s.Cause, c.want); err != nil {
				t.Error(err)
			}
			i.awaitReady("other")
			i.order()
			i.awaitReady("web")
			eventually(t, "nothing else left", func() error { return i.exactly(2) })
		})
	}
}

// One gateway whose runtime calls hang never delays another.
func TestHangingGatewayDelaysNoOther(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "no-delay")
	i.disobedient(`
[gateway.hangs]
rootfs = "$ROOTFS"
command = ["/gateway"]
ready = { start_timeout = "4s" }
` + serving)
	i.order("create hangs- hang", "delete hangs- hang")
	go func() { _ = i.start() }()
	i.awaitReady("web")
	// While it hangs, the other is restarted, stopped and started as ever.
	began := time.Now()
	i.tell("PORT", "exit=1")
	i.awaitLaunch("web", 1)
	i.must("restart", "web")
	i.must("stop", "web")
	i.must("start", "web")
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("a crash, a restart, a stop and a start took %s", took)
	}
	eventually(t, "the unit started", func() error {
		if state := i.property("ActiveState"); state != "active" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	if err := contains(i.property("StatusText"), "hangs"); err != nil {
		t.Error(err)
	}
	i.mustStop()
	i.mustBeNothing()
}
