package e2e

import (
	"strings"
	"testing"
	"time"
)

// Each kind of probe waits for the gateway and then finds it ready.
func TestProbes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, steps, probe string }{
		{"tcp", `"sleep=700ms", "serve=127.0.0.1:$PORT"`, `"tcp://127.0.0.1:$PORT"`},
		{"unix", `"sleep=700ms", "unix=/socket"`, `"unix:///socket"`},
		{"notify", `"sleep=700ms", "notify"`, `"notify"`},
		{"exec", `"sleep=700ms", "serve=127.0.0.1:$PORT"`, `["/gateway", "get=http://127.0.0.1:$PORT/"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, "probe-"+c.name)
			i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", ` + c.steps + `]
ready.probe = ` + c.probe + `
`)
			began := time.Now()
			i.mustStart()
			if took := time.Since(began); took < 700*time.Millisecond {
				t.Errorf("ready after %s", took)
			}
			i.mustStop()
			i.mustBeNothing()
		})
	}
}

// An exec probe runs inside, and has no more rights than the gateway.
func TestExecProbeIsConfined(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "probe-confined")
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT"]
ready.probe = ["/gateway", "copy=/proc/self/status:/status", "copy=/proc/self/cgroup:/cgroup", "link=/proc/self/ns/pid:/ns", "unshare=/unshare", "exit=0"]
`)
	i.mustStart()
	// The probe does not ask whether the program answers yet.
	eventually(t, "an answer", func() error { _, _, err := i.ask("PORT", "/"); return err })
	i.wantConfined("/status")
	if said := i.read("PORT", "/unshare"); said != "operation not permitted" {
		t.Errorf("unshare, which the filter refuses, ended as %q", said)
	}
	if probe, gateway := i.read("PORT", "/ns"), i.mustAsk("PORT", "/link?path=/proc/self/ns/pid"); probe != gateway {
		t.Errorf("the probe ran in %s, the gateway in %s", probe, gateway)
	}
	if cgroup := i.read("PORT", "/cgroup"); !strings.Contains(cgroup, "0::/\n") {
		t.Errorf("the probe ran in the cgroup %q", cgroup)
	}
}

// The words of a probe that says no are in the status.
func TestProbeErrorIsTold(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "probe-error")
	i.configure(serving + `
[gateway.no]
rootfs = "$ROOTFS"
command = ["/gateway", "sick", "serve=127.0.0.1:$PORT2"]
ready = { probe = "http://127.0.0.1:$PORT2/", start_timeout = "3s" }
`)
	go func() { _ = i.start() }()
	eventually(t, "the words in STATUS=", func() error { return contains(i.property("StatusText"), "I am sick") })
	s := i.await("no", "asked", func(s state) bool { return s.ProbeError != "" })
	if err := contains(s.ProbeError, "503"); err != nil {
		t.Error(err)
	}
}
