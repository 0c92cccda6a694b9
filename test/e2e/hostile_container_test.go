package e2e

import (
	"fmt"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/load"
)

// worst does all that a program can do to its host, within the limits that it was
// given; freed does it with what keys give back.
const worst = `
[gateway.worst]
rootfs = "$ROOTFS"
command = ["/gateway", "ignore=TERM", "ignore=HUP", "lie", "mounts=10", "cgroups=10", "bury=/dir", "fill=/tmp", "fill=/dev/shm",
	"keep", "chmod=/", "hog", "blob=%d", "fork", "serve=127.0.0.1:$PORT2"]
ready.probe = "notify"
stop.timeout = "500ms"
restart = { delay = "10ms", max_delay = "100ms" }
isolation = { tmp = "8MiB", limits = { nproc = 100, data = "128MiB", as = "4GiB", core = 0, nofile = 100 } }

[gateway.freed]
rootfs = "$ROOTFS"
command = ["/gateway", "ignore=TERM", "mounts=300", "cgroups=20", "chmod=/", "fork", "serve=127.0.0.1:$PORT3", "notify"]
ready.probe = "notify"
stop.timeout = "500ms"

[gateway.freed.isolation]
seccomp = "unconfined"
capabilities = ["SYS_ADMIN", "DAC_OVERRIDE", "FOWNER", "CHOWN", "SYS_PTRACE", "NET_ADMIN", "MKNOD"]
no_new_privs = false
unmask = ["/proc/kcore", "/proc/sys", "/proc/sysrq-trigger"]
limits = { nproc = 100 }
`

// A hostile container takes what it is allowed and no more, is stopped within its
// timeouts, leaves nothing, says nothing in gatewayd's name, and no client of
// another gateway is not answered.
func TestHostileContainer(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "worst")
	i.configure(serving)
	i.mustStart()
	before := i.own()
	quiet := i.measured(func() { time.Sleep(time.Second) }) // as long as what follows measures something
	loud := i.measured(func() {
		i.configure(serving + fmt.Sprintf(worst, longer(200<<20, 1<<30)))
		i.must("reload")
		i.awaitWorst()
		i.wantBounded()
		if now := i.own(); now != before {
			t.Errorf("systemd knows gatewayd as %s, and before as %s", now, before)
		}
		i.must("restart", "worst")
		i.awaitWorst()
		_ = kill(i.awaitReady("freed").Pid, syscall.SIGKILL)
		i.awaitLaunch("freed", 1)
		for _, name := range []string{"worst", "freed"} {
			began := time.Now()
			i.must("stop", name)
			t.Logf("%s is stopped within %v", name, time.Since(began).Round(time.Millisecond))
		}
	})
	for name, l := range map[string]load.Latency{"alone": quiet, "beside the hostile containers": loud} {
		t.Logf("another gateway's answers %s: median %.0f µs, p99 %.0f µs, longest %.0f µs", name, l.Median, l.P99, l.Max)
	}
	eventually(t, "the other gateway alone", func() error { return i.exactly(1) })
	if s := i.awaitReady("web"); s.Launch != 1 {
		t.Errorf("the other gateway was restarted: %+v", s)
	}
	i.must("start", "freed") // in the end neither gatewayd nor systemd is there to clean before the sweep
	_ = kill(i.mainPid(), syscall.SIGKILL)
	eventually(t, "it and the other one again", func() error { return i.exactly(2) })
	i.mustStop()
	i.mustBeNothing()
}

// own is what a notification to systemd would change.
func (i *instance) own() string {
	return i.property("MainPID") + " " + i.property("ActiveState") + " with " + i.property("NFileDescriptorStore") + " sockets"
}

// measured has clients ask web while do does something. Each is answered.
func (i *instance) measured(do func()) load.Latency {
	i.t.Helper()
	c := i.startLoad("PORT")
	<-c.ready
	do()
	return c.stop(i.t, refused, cut, late).Fresh.Latency
}

// awaitWorst waits until the hostile programs have done all that they do.
func (i *instance) awaitWorst() {
	i.t.Helper()
	for _, port := range []string{"PORT2", "PORT3"} {
		eventuallyWithin(i.t, longer(patience, 10*patience), "the end of the worst", func() error {
			_, _, err := i.ask(port, "/")
			return err
		})
	}
	i.awaitReady("freed")
}

// wantBounded checks what the programs say of how far they came.
func (i *instance) wantBounded() {
	i.t.Helper()
	for port, want := range map[string][]string{
		"PORT2": {
			`FILL/tmp=\d+: .*no space left`, `FILL/dev/shm=\d+: .*no space left`, `HOG=\d\d: cannot allocate memory`,
			`FORK=\d\d: resource temporarily unavailable`, `MOUNTS=0: operation not permitted`, `CGROUPS=0: operation not permitted`,
			`LIE=0: <nil>`, `CLOSE=\d+: <nil>`,
		},
		"PORT3": {`FORK=\d\d: resource temporarily unavailable`, `MOUNTS=300: <nil>`, `CGROUPS=20: <nil>`, `CLOSE=\d+: <nil>`},
	} {
		said := i.mustAsk(port, "/env")
		for _, line := range want {
			found := regexp.MustCompile(`(?m)^DID_` + line).FindString(said)
			if i.t.Logf("%s", found); found == "" {
				i.t.Errorf("%s is not in %s", line, said)
			}
		}
	}
}
