package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// steady are two gateways that come back soon, and are asked often.
const steady = `
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "100ms"
restart.max_delay = "200ms"
[gateway.other]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT2"]
ready.probe = "http://127.0.0.1:$PORT2/"
ready.interval = "100ms"
`

// limit sets what gatewayd itself may have of something, and returns how to undo it.
func (i *instance) limit(resource int, most uint64) (undo func()) {
	i.t.Helper()
	pid := i.mainPid()
	var was unix.Rlimit
	err := unix.Prlimit(pid, resource, nil, &was)
	if err == nil {
		err = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: was.Max}, nil)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	return func() {
		if err := unix.Prlimit(pid, resource, &was, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			i.t.Error(err)
		}
	}
}

// kill ends the program of a gateway.
func (s state) kill(t *testing.T) {
	t.Helper()
	if err := kill(s.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// causes waits for a record of the event whose cause has all the words.
func (i *instance) causes(event, gateway string, words ...string) {
	i.t.Helper()
	i.awaitRecord(event+" of "+gateway+" for "+strings.Join(words, ", "), func(r record) bool {
		for _, word := range words {
			if !strings.Contains(r.message(), word) {
				return false
			}
		}
		return true
	}, "EVENT="+event, "GATEWAY="+gateway)
}

// A gatewayd without a descriptor to spare lives, says what it is short of, and ends
// no gateway because it cannot ask it. What ends meanwhile comes back afterwards.
func TestNoDescriptors(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "emfile")
	i.dropIn("WatchdogSec=2s")
	i.configure(steady)
	i.mustStart()
	web, other, pid := i.awaitReady("web"), i.awaitReady("other"), i.mainPid()
	undo := i.limit(unix.RLIMIT_NOFILE, 3)
	i.causes("probe-unasked", "web", "too many open files", "LimitNOFILE=")
	i.causes("probe-unasked", "other", "too many open files")
	web.kill(t)
	i.causes("clean-incomplete", "web", "too many open files", "LimitNOFILE=")
	time.Sleep(3 * time.Second) // for the watchdog, and for what probes could do
	undo()
	i.awaitLaunch("web", web.Launch)
	if s := i.awaitReady("other"); s.ID != other.ID {
		t.Errorf("the other one was ended: %+v", s)
	}
	if now := i.mainPid(); now != pid {
		t.Errorf("gatewayd itself was ended: pid %d, was %d", now, pid)
	}
	i.awaitRecord("probes again", func(r record) bool { return r.field("PRIORITY") == "6" }, "EVENT=probe-unasked", "GATEWAY=other")
	eventually(t, "two containers", func() error { return i.exactly(2) })
	i.mustStop()
	i.mustBeNothing()
}

// No process can be made: the same.
func TestNoProcesses(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "nproc")
	i.configure(steady)
	i.mustStart()
	web, other, pid := i.awaitReady("web"), i.awaitReady("other"), i.mainPid()
	undo := i.limit(unix.RLIMIT_NPROC, 1)
	web.kill(t)
	i.causes("gateway-backoff", "web", "resource temporarily unavailable", "TasksMax=")
	undo()
	i.awaitLaunch("web", web.Launch)
	if now := i.mainPid(); now != pid {
		t.Errorf("gatewayd itself was ended: pid %d, was %d", now, pid)
	}
	if s := i.awaitReady("other"); s.ID != other.ID {
		t.Errorf("the other one was ended: %+v", s)
	}
	eventually(t, "two containers", func() error { return i.exactly(2) })
	i.mustStop()
	i.mustBeNothing()
}

// Nothing that gatewayd does needs the bus of a session.
func TestNoBus(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "no-bus")
	i.environment("DBUS_SESSION_BUS_ADDRESS=unix:path=" + filepath.Join(i.dir, "gone"))
	i.configure(steady)
	i.mustStart()
	web := i.awaitReady("web")
	web.kill(t)
	i.awaitLaunch("web", web.Launch)
	i.must("reexec")
	i.must("restart", "other")
	i.killed()
	i.mustStop()
	i.mustBeNothing()
}

// A runtime that is upgraded or removed under gatewayd runs on from its copy, and both
// status and journal say so until it is the same again.
func TestRuntimeIsReplaced(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rt-replaced")
	i.disobedient(steady)
	i.order()
	i.mustStart()
	path := i.values["RUNTIME"]
	for what, replace := range map[string]func() error{
		"another program": func() error {
			mustCopy(t, "/bin/true", path+".new")
			return os.Rename(path+".new", path)
		},
		"no such file": func() error { return os.Remove(path) },
	} {
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		before := i.awaitReady("web")
		before.kill(t)
		i.awaitLaunch("web", before.Launch)
		i.awaitRecord("the file", func(r record) bool {
			return r.field("PRIORITY") == "4" && contains(r.message(), what) == nil
		}, "EVENT=runtime-changed")
		if err := errors.Join(contains(i.must("status"), path), contains(i.must("status"), what)); err != nil {
			t.Error(err)
		}
		mustCopy(t, programs.runtime, path)
		if err := contains(i.must("status"), "copy in memory"); err == nil {
			t.Errorf("status still tells of it")
		}
	}
	i.awaitRecord("the file again", func(r record) bool { return r.field("PRIORITY") == "6" }, "EVENT=runtime-changed")
	eventually(t, "two containers", func() error { return i.exactly(2) })
	i.mustStop()
	i.mustBeNothing()
}

// A runtime that is stopped in a call is killed in the end, and said to have given no
// answer; the next call comes when it runs again.
func TestRuntimeIsStopped(t *testing.T) {
	t.Parallel()
	for verb, event := range map[string]string{"create": "gateway-backoff", "start": "gateway-backoff", "delete": "clean-incomplete"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, "rt-stop-"+verb)
			i.disobedient(steady)
			i.order()
			i.mustStart()
			before, other := i.awaitReady("web"), i.awaitReady("other")
			i.order(verb + " web- stop")
			before.kill(t)
			i.causes(event, "web", verb, "gave no answer within")
			i.order()
			i.awaitLaunch("web", before.Launch)
			if s := i.awaitReady("other"); s.ID != other.ID {
				t.Errorf("the other one was ended: %+v", s)
			}
			eventually(t, "two containers", func() error { return i.exactly(2) })
			i.mustStop()
			i.mustBeNothing()
		})
	}
}

// One that is continued in time has only been slow.
func TestRuntimeIsStoppedForAMoment(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rt-moment")
	i.disobedient(steady)
	i.order()
	i.mustStart()
	before := i.awaitReady("web")
	i.order("create web- stop")
	before.kill(t)
	eventually(t, "a stopped create", func() error { return i.continueCalls("create") })
	i.order()
	if s := i.awaitLaunch("web", before.Launch); s.Launch != before.Launch+1 {
		t.Errorf("it took more than a launch: %+v", s)
	}
	i.mustStop()
	i.mustBeNothing()
}

// continueCalls continues the calls of a verb, of which there has to be one that is
// stopped.
func (i *instance) continueCalls(verb string) error {
	_, others := i.processes()
	for _, line := range others {
		var pid int
		if _, err := fmt.Sscan(line, &pid); err != nil || !strings.Contains(line, " "+verb+" ") {
			continue
		}
		if status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); strings.Contains(string(status), ") T ") {
			return kill(pid, syscall.SIGCONT)
		}
	}
	return fmt.Errorf("not among %v", others)
}
