package e2e

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
)

// What the kernel says of a container of the defaults, from inside.
func TestIsolation(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "isolation")
	i.configure(serving)
	i.mustStart()
	i.wantConfined("/proc/self/status")
	for _, namespace := range []string{"pid", "mnt", "ipc", "uts", "cgroup", "user"} {
		host, err := os.Readlink("/proc/self/ns/" + namespace)
		if inside := i.mustAsk("PORT", "/link?path=/proc/self/ns/"+namespace); err != nil || inside == host {
			t.Errorf("the %s namespace is the host's: %v", namespace, err)
		}
	}
	if name := strings.TrimSpace(i.read("PORT", "/proc/sys/kernel/hostname")); name != "web" {
		t.Errorf("the host name inside is %q", name)
	}
	if self := i.mustAsk("PORT", "/link?path=/proc/self"); self != "1" {
		t.Errorf("the gateway is pid %s inside", self)
	}
	wantMapping(t, i.read("PORT", "/proc/self/uid_map"), os.Getuid())
	wantMapping(t, i.read("PORT", "/proc/self/gid_map"), os.Getgid())
	for _, secret := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"} {
		if text, code, _ := i.ask("PORT", "/read?path="+secret); code == 200 && text != "" {
			t.Errorf("%s can be read inside", secret)
		}
	}
	for _, path := range []string{"/proc/sysrq-trigger", "/proc/sys/kernel/hostname"} {
		i.wantReadOnly(path)
	}
	for _, name := range strings.Fields(i.mustAsk("PORT", "/list?path=/")) {
		if name == "home" || name == "usr" {
			t.Errorf("/%s of the host is inside", name)
		}
	}
}

// wantConfined checks a status file of proc(5).
func (i *instance) wantConfined(path string) {
	i.t.Helper()
	const none = "0000000000000000"
	i.wantStatus(path, map[string]string{
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2",
	})
}

func (i *instance) wantStatus(path string, want map[string]string) {
	i.t.Helper()
	status := i.read("PORT", path)
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if expected, ok := want[name]; ok && strings.TrimSpace(value) != expected {
			i.t.Errorf("%s: %s, not %s", name, strings.TrimSpace(value), expected)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		i.t.Errorf("%s says nothing of %v", path, want)
	}
}

func wantMapping(t *testing.T, text string, host int) {
	t.Helper()
	fields := strings.Fields(text)
	// From inside, the parent namespace's id is what is shown.
	if len(fields) != 3 || fields[0] != "0" || fields[1] != strconv.Itoa(host) || fields[2] != "1" {
		t.Errorf("the mapping is %q, not 0 to %d alone", fields, host)
	}
}

// wantReadOnly checks that the mount which holds path is read-only.
func (i *instance) wantReadOnly(path string) {
	i.t.Helper()
	best, options := "", ""
	for line := range strings.Lines(i.read("PORT", "/proc/self/mountinfo")) {
		fields := strings.Fields(line)
		if strings.HasPrefix(path, fields[4]) && len(fields[4]) >= len(best) {
			best, options = fields[4], fields[5]
		}
	}
	if !strings.HasPrefix(options, "ro") {
		i.t.Errorf("%s is on %s with %s", path, best, options)
	}
}

func TestNetworkNone(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "network-none")
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:8080"]
ready.probe = ["/gateway", "get=http://127.0.0.1:8080/"]
isolation.network = "none"
`)
	i.mustStart()
	pid := strconv.Itoa(i.awaitReady("web").Pid)
	host, _ := os.Readlink("/proc/self/ns/net")
	if inside, err := os.Readlink("/proc/" + pid + "/ns/net"); err != nil || inside == host {
		t.Errorf("the network namespace is the host's: %v", err)
	}
	devices, err := os.ReadFile("/proc/" + pid + "/net/dev")
	if err != nil || strings.Count(string(devices), ":") != 1 || !strings.Contains(string(devices), "lo:") {
		t.Errorf("the devices are %q %v", devices, err)
	}
}

func TestReadOnlyRoot(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "read-only")
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "write=/data/file:text", "serve=127.0.0.1:$PORT"]
mount = [{ source = "data", target = "/data" }]
ready.probe = "http://127.0.0.1:$PORT/"
isolation.read_only = true
`)
	i.mustStart()
	i.wantReadOnly("/")
	i.tell("PORT", "write=/file:text")
	if s := i.awaitLaunch("web", 1); !strings.Contains(s.Cause, "exited with code 99") {
		t.Errorf("a write to / ended as %q", s.Cause)
	}
}

// With init = true the program is not PID 1, its status is told truly and
// orphans are reaped.
func TestInit(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "init")
	i.configure(serving + "isolation.init = true\n")
	i.mustStart()
	if self := i.mustAsk("PORT", "/link?path=/proc/self"); self == "1" {
		t.Error("the program is PID 1")
	}
	i.wantConfined("/proc/self/status")
	i.tell("PORT", "orphan=300ms")
	eventually(t, "no process but two", func() error {
		found := 0
		for _, name := range strings.Fields(i.mustAsk("PORT", "/list?path=/proc")) {
			if _, err := strconv.Atoi(name); err == nil {
				found++
			}
		}
		if found != 2 {
			return fmt.Errorf("%d processes", found)
		}
		return nil
	})
	launch := 1
	for step, want := range map[string]string{"exit=3": "exited with code 3", "die=KILL": "ended by signal 9", "die=SEGV": "ended by signal 11", "exit=137": "exited with code 137"} {
		i.tell("PORT", step)
		s := i.awaitLaunch("web", launch)
		if err := contains(s.Cause, want); err != nil {
			t.Errorf("after %s: %v", step, err)
		}
		launch = s.Launch
	}
	i.mustStop()
	i.mustBeNothing()
}

// Bare is no container at all, and every start says so.
func TestBare(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "bare")
	i.configure(serving + "isolation.bare = true\n")
	i.mustStart()
	host, _ := os.Readlink("/proc/self/ns/mnt")
	if inside := i.mustAsk("PORT", "/link?path="+url.QueryEscape("/proc/self/ns/mnt")); inside != host {
		t.Error("bare has a mount namespace of its own")
	}
	if s := i.awaitReady("web"); !strings.Contains(s.Posture, "bare") {
		t.Errorf("the posture is %q", s.Posture)
	}
	r := i.awaitRecord("the warning", func(record) bool { return true }, "EVENT=bare-warning", "LAUNCH=1")
	wantFields(t, r, map[string]string{"GATEWAY": "web", "PRIORITY": "4"})
	i.tell("PORT", "exit=3")
	i.awaitLaunch("web", 1)
	i.awaitRecord("the second warning", func(record) bool { return true }, "EVENT=bare-warning", "LAUNCH=2")
	i.must("stop", "web")
	if states, err := i.states(); err != nil || states["web"].ID != "" || states["web"].Pid != 0 {
		t.Errorf("status tells of a launch that is gone: %+v, %v", states["web"], err)
	}
	i.mustStop()
	i.mustBeNothing()
}
