package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// handedOver are two gateways of which one inherits its listener, with a standby,
// and the other is behind a proxy, by a socket of its own.
const handedOver = `
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=inherit"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "50ms"
standby = "warm"
[[gateway.web.listen]]
name = "http"
address = "127.0.0.1:$PORT"

[gateway.behind]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=/run/behind/socket"]
ready.probe = "http://127.0.0.1:$PORT2/"
ready.interval = "50ms"
[[gateway.behind.listen]]
name = "http"
address = "127.0.0.1:$PORT2"
mode = "proxy"
to = "unix:/run/behind/socket"
`

// ownBinary has the unit run a copy of gatewayd, which may be upgraded.
func (i *instance) ownBinary() string {
	i.t.Helper()
	path := filepath.Join(i.dir, "bin", "gatewayd")
	mustMkdir(i.t, filepath.Dir(path), 0o755)
	i.install(path, programs.gatewayd)
	i.dropIn("ExecStart=\nExecStart=" + path + " run\nExecReload=\nExecReload=" + path + " reload")
	return path
}

// install replaces the file at path as a package would: by another file.
func (i *instance) install(path, from string) {
	i.t.Helper()
	mustCopy(i.t, from, path+".new")
	if err := os.Rename(path+".new", path); err != nil {
		i.t.Fatal(err)
	}
}

// askAgain by POST: net/http would try another request once more.
func askAgain(client *http.Client, port string) error {
	response, err := client.Post("http://127.0.0.1:"+port+"/", "text/plain", strings.NewReader("x"))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", response.Status)
	}
	return nil
}

// unchanged compares what a reexec must not touch.
func (i *instance) unchanged(pid int, before map[string]state) {
	i.t.Helper()
	after, err := i.states()
	if err != nil {
		i.t.Fatal(err)
	}
	if now := i.mainPid(); now != pid || i.property("NRestarts") != "0" || i.property("ActiveState") != "active" {
		i.t.Errorf("main pid %d, was %d; %s restarts, %s", now, pid, i.property("NRestarts"), i.property("ActiveState"))
	}
	for name, b := range before {
		if a := after[name]; a.Pid != b.Pid || a.ID != b.ID || a.Launch != b.Launch || a.Restarts != b.Restarts || a.Phase != "ready" {
			i.t.Errorf("%s is %+v, was %+v", name, a, b)
		}
	}
}

// Reexecs under load lose no connection, new or kept, by a listener or behind a
// proxy; the same processes go on, and a standby stays one.
func TestReexecLosesNobody(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rx-load")
	i.configure(handedOver)
	i.mustStart()
	i.awaitReady("behind")
	before := map[string]state{"web": i.awaitReady("web"), "behind": i.awaitReady("behind")}
	eventually(t, "a standby", func() error { return i.standby("web", "frozen") })
	pid := i.mainPid()
	all := []*clients{i.startClients("PORT", 10), i.startClients("PORT2", 10)}
	for range 20 {
		i.must("reexec")
	}
	for _, c := range all {
		c.stop(t, refused, late, cut)
	}
	i.unchanged(pid, before)
	if err := i.standby("web", "frozen"); err != nil {
		t.Error(err)
	}
	if n := len(i.records("EVENT=daemon-reexecuted")); n != 20 {
		t.Errorf("%d records of a reexec", n)
	}
	i.mustStop()
	i.mustBeNothing()
}

func (i *instance) standby(name, want string) error {
	out, stderr, _ := i.gatewayd("status", "--json", name)
	if !strings.Contains(out, `"state": "`+want+`"`) {
		return fmt.Errorf("no standby is %s: %s%s", want, out, stderr)
	}
	return nil
}

// A gateway that ends while one image follows the other, or right before or
// after, is launched again, and its true status is known.
func TestCrashAroundReexec(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rx-crash")
	i.configure(strings.Replace(listening, `restart.delay = "50ms"`, `restart.delay = "10ms"
restart.max_delay = "10ms"`, 1))
	i.mustStart()
	for n := range 10 {
		s := i.awaitReady("web")
		killed := make(chan error)
		go func() {
			time.Sleep(time.Duration(n) * 8 * time.Millisecond) // somewhere in a reexec
			killed <- kill(s.Pid, syscall.SIGKILL)
		}()
		stdout, stderr, code := i.gatewayd("reexec")
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		if code != 0 {
			t.Errorf("exit code %d: %s%s", code, stdout, stderr)
		}
		next := i.awaitLaunch("web", s.Launch)
		if next.Launch != s.Launch+1 || !strings.Contains(next.Cause, "signal 9") {
			t.Errorf("launch %d after %d, cause %q", next.Launch, s.Launch, next.Cause)
		}
	}
	eventually(t, "one launch", func() error { return i.exactly(1) })
}

// A bare process ends with gatewayd, and not with an image of it.
func TestBareOverReexec(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rx-bare")
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=inherit"]
ready.probe = "http://127.0.0.1:$PORT/"
isolation.bare = true
[[gateway.web.listen]]
name = "http"
address = "127.0.0.1:$PORT"
`)
	i.mustStart()
	before := map[string]state{"web": i.awaitReady("web")}
	pid := i.mainPid()
	for range 3 {
		i.must("reexec")
		i.unchanged(pid, before)
	}
	i.tell("PORT", "exit=3")
	next := i.awaitLaunch("web", before["web"].Launch)
	if !strings.Contains(next.Cause, "code 3") {
		t.Errorf("cause %q", next.Cause)
	}
	i.must("reexec")
	i.unchanged(pid, map[string]state{"web": next})
	i.dies()
	if err := kill(next.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it has outlived gatewayd: %v", err)
	}
	i.awaitReady("web")
}

// A standby that an earlier image has made takes over.
func TestStandbyOverReexec(t *testing.T) {
	for mode, lasting := range map[string]string{"created": "created", "warm": "frozen"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, "rx-sb-"+mode)
			i.configure(strings.Replace(listening, "deploy.confirm", "standby = \""+mode+"\"\ndeploy.confirm", 1))
			i.mustStart()
			eventually(t, "a standby", func() error { return i.standby("web", lasting) })
			for range 3 {
				s := i.awaitReady("web")
				i.must("reexec")
				if err := kill(s.Pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				next := i.awaitLaunch("web", s.Launch)
				if next.Launch != s.Launch+1 || !strings.Contains(next.Cause, "signal 9") {
					t.Errorf("launch %d after %d, cause %q", next.Launch, s.Launch, next.Cause)
				}
				eventually(t, "the next standby", func() error { return i.standby("web", lasting) })
			}
			if n := len(i.records("EVENT=took-over")); n != 3 {
				t.Errorf("%d standbys took over, not 3", n)
			}
			i.mustStop()
			i.mustBeNothing()
		})
	}
}

// A drain goes on, for as long as it had left: the connection that is in flight is
// not cut by the reexec, nor by what follows.
func TestDrainOverReexec(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rx-drain")
	i.configure(strings.Replace(listening, "deploy.confirm", "deploy.drain = \"1m\"\ndeploy.confirm", 1))
	i.mustStart()
	transport := &http.Transport{MaxConnsPerHost: 1}
	client := &http.Client{Transport: transport, Timeout: patience}
	if err := askAgain(client, i.values["PORT"]); err != nil {
		t.Fatal(err)
	}
	i.must("deploy", "web", "--rootfs", i.version("two"))
	i.must("reexec")
	if err := askAgain(client, i.values["PORT"]); err != nil {
		t.Errorf("the connection that is kept: %v", err)
	}
	i.mustRun("two")
	transport.CloseIdleConnections()
	eventually(t, "the end of the drain", func() error {
		if n := len(i.records("EVENT=launch-drained")); n != 1 {
			return fmt.Errorf("%d records of it", n)
		}
		return i.exactly(1)
	})
	i.must("rollback", "web")
	i.mustRun("as configured")
}

// systemctl stop at any moment of a reexec ends gatewayd, and leaves nothing.
func TestStopInReexec(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rx-stop")
	i.configure(listening)
	for n := range longer(4, 30) {
		i.mustStart()
		i.awaitReady("web")
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _, _ = i.gatewayd("reexec")
		}()
		time.Sleep(time.Duration(20+7*n) * time.Millisecond) // somewhere in it
		began := time.Now()
		i.mustStop()
		if time.Since(began) > patience {
			t.Error("the signal was lost")
		}
		<-answered
		i.mustBeNothing()
	}
}

// Each line that a gateway writes around a reexec is in the journal once.
func TestOutputOverReexec(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rx-output")
	i.configure(listening)
	i.mustStart()
	const lines, floods = 4000, 10
	for range floods {
		i.tell("PORT", "flood="+strconv.Itoa(lines)) // it begins after the answer
		i.must("reexec")
	}
	eventually(t, "the last lines", func() error {
		if n := len(i.records("GATEWAY=web", "MESSAGE="+strconv.Itoa(lines))); n != floods {
			return fmt.Errorf("%d are there", n)
		}
		return nil
	})
	seen := map[string]int{}
	for _, r := range i.records("GATEWAY=web", "STREAM=stdout") {
		seen[r.message()]++
	}
	for n := 1; n <= lines; n++ {
		if seen[strconv.Itoa(n)] != floods {
			t.Fatalf("line %d is there %d times, not %d", n, seen[strconv.Itoa(n)], floods)
		}
	}
}

// A binary that cannot take over changes nothing: the old gatewayd goes on.
func TestReexecIsRefused(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rx-refused")
	path := i.ownBinary()
	i.configure(handedOver)
	i.mustStart()
	before := map[string]state{"web": i.awaitReady("web"), "behind": i.awaitReady("behind")}
	pid := i.mainPid()
	script := filepath.Join(i.dir, "script")
	clients := i.startLoad("PORT")
	for name, c := range map[string]struct{ text, want string }{
		"refuses":      {"#!/bin/sh\necho I cannot read this >&2\nexit 1\n", "I cannot read this"},
		"knows not":    {"#!/bin/sh\nexit 0\n", "does not say that it takes this state"},
		"is no binary": {"what?", "exec format error"},
		"is missing":   {"", "no such file"},
	} {
		mustWrite(t, script, c.text)
		if err := os.Chmod(script, 0o755); err != nil {
			t.Fatal(err)
		}
		i.install(path, script)
		if c.text == "" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		stdout, stderr, code := i.gatewayd("reexec")
		if code != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("a binary that %s: exit code %d: %s%s", name, code, stdout, stderr)
		}
	}
	clients.stop(t, refused, late, cut)
	i.unchanged(pid, before)
	if n := len(i.records("EVENT=reexec-refused")); n != 4 {
		t.Errorf("%d records of a refusal", n)
	}
	i.install(path, programs.gatewayd)
	i.must("reexec")
	i.unchanged(pid, before)
}

// A reload after an upgrade becomes the new binary, which reads the configuration;
// when that is faulty what runs goes on, and the verdict is the same as ever.
func TestReloadAfterUpgrade(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rx-upgrade")
	path := i.ownBinary()
	i.configure(handedOver)
	i.mustStart()
	before := map[string]state{"web": i.awaitReady("web"), "behind": i.awaitReady("behind")}
	pid := i.mainPid()
	i.must("reload")
	if n := len(i.records("EVENT=daemon-reexecuted")); n != 0 {
		t.Errorf("%d reexecs for the same binary", n)
	}
	i.install(path, programs.gatewayd)
	i.configure(handedOver + "nonsense = 1\n")
	if stdout, stderr, code := i.gatewayd("reload"); code != 78 || !strings.Contains(stderr, "nonsense") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	i.unchanged(pid, before)
	i.install(path, programs.gatewayd)
	i.configure(handedOver + `
[gateway.other]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT3"]
ready.probe = "http://127.0.0.1:$PORT3/"
`)
	if err := i.systemctl("reload", i.unit); err != nil {
		t.Fatal(err)
	}
	i.awaitReady("other")
	i.unchanged(pid, before)
	if n := len(i.records("EVENT=daemon-reexecuted")); n != 2 {
		t.Errorf("%d reexecs for two upgrades", n)
	}
}

// SIGKILL in the middle of a reexec is as any other: systemd starts gatewayd
// again, which finds and removes what is left.
func TestKilledInReexec(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rx-killed")
	i.configure(handedOver)
	i.mustStart()
	for n := range longer(4, 30) {
		i.awaitReady("web")
		i.awaitReady("behind")
		pid := i.mainPid()
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _, _ = i.gatewayd("reexec")
		}()
		time.Sleep(time.Duration(20+10*n) * time.Millisecond) // somewhere in it
		if err := kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-answered
		eventually(t, "the next gatewayd", func() error {
			if now := i.mainPid(); now == 0 || now == pid || i.property("ActiveState") != "active" {
				return fmt.Errorf("main pid %d", now)
			}
			return nil
		})
	}
	i.awaitReady("web")
	i.awaitReady("behind")
	eventually(t, "nothing else", func() error { return i.standby("web", "frozen") })
	i.mustStop()
	i.mustBeNothing()
}
