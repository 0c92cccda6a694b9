package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// calls are the system calls at which gatewayd is killed, without any help of its
// code: what it changes outside of itself by, and what it waits by. strace counts
// each call of each thread by itself.
var calls = []string{
	"mkdirat", "openat", "write", "pwrite64", "read", "close", "renameat", "renameat2", "unlinkat", "linkat", "symlinkat", "ftruncate",
	"fsync", "fchmod", "fchmodat", "fchown", "fchownat", "newfstatat", "getdents64", "statfs", "flock", "memfd_create", "fcntl",
	"mount", "umount2", "clone", "clone3", "execve", "waitid", "pidfd_open", "pidfd_send_signal", "kill", "tgkill", "prctl", "setns",
	"socket", "bind", "listen", "connect", "accept4", "setsockopt", "getsockname", "shutdown", "sendmsg", "sendto", "recvmsg", "pipe2",
	"epoll_ctl", "eventfd2", "nanosleep", "futex", "mmap", "bpf",
}

// counts are the calls of a thread that are the last one, in turn, until there are
// not so many.
var counts = []int{1, 2, 3, 5, 8, 13, 21, 34, 55}

// ways are what gatewayd is at when it is killed. Each brings it about under a
// tracer, and returns what was hit: "" when there were not so many calls.
var ways = map[string]func(*traced, string) string{
	"start":  func(tr *traced, order string) string { tr.i.mustStop(); return tr.starts("run", order, tr.i.start) },
	"sweep":  func(tr *traced, order string) string { tr.skipReap(); return tr.starts("run", order, tr.kill) },
	"reap":   func(tr *traced, order string) string { return tr.starts("reap", order, tr.kill) },
	"stop":   func(tr *traced, order string) string { return tr.attached(order, tr.i.stop) },
	"crash":  func(tr *traced, order string) string { return tr.attached(order, tr.crash) },
	"deploy": func(tr *traced, order string) string { return tr.attached(order, tr.deploy) },
	"reload": func(tr *traced, order string) string { return tr.attached(order, tr.reload) },
}

// few are the points of the short form, where something is half done.
var few = map[string][]string{
	"start":  {"mkdirat:1", "clone:1", "bind:1", "sendmsg:2"},
	"sweep":  {"unlinkat:5"},
	"reap":   {"renameat2:1"},
	"stop":   {"pidfd_send_signal:1"},
	"crash":  {"waitid:2", "mkdirat:1"},
	"deploy": {"renameat:1", "setsockopt:1"},
	"reload": {"openat:2"},
}

// Killed by strace at any system call, of any class, at whatever it is: the next
// gatewayd leaves nothing of the last one.
func TestKilledAtASystemCall(t *testing.T) {
	for way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			tr := newTraced(t, "sc-"+way)
			if longer(false, true) {
				tr.all(way)
				return
			}
			for _, point := range few[way] {
				call, n, _ := strings.Cut(point, ":")
				if tr.at(way, call, n) == "" {
					t.Errorf("%s comes not %s times in a %s", call, n, way)
				}
			}
		})
	}
}

// traced is an instance that strace kills.
type traced struct {
	t       *testing.T
	i       *instance
	slate   *slate
	trace   string
	deploys int
}

func newTraced(t *testing.T, name string) *traced {
	i := newInstance(t, name)
	needStrace(t)
	tr := &traced{t: t, i: i, trace: filepath.Join(t.TempDir(), "trace")}
	// However often the same call is hit, what comes after does not wait for long.
	i.configure("log_level = \"debug\"\n" + strings.Replace(listening, `ready.interval`, `standby = "created"
restart.factor = 1.0
ready.interval`, 1) + forking)
	i.version("two")
	tr.unit()
	i.mustStart()
	tr.slate = i.newSlate(map[string]string{"web": "PORT", "forks": "PORT2"})
	return tr
}

func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		testenv.Skip(t, "needs strace: apt-get install strace")
	}
}

// forking is a gateway that forks and buries directories.
const forking = `
[gateway.forks]
rootfs = "$ROOTFS"
stage = "copy"
command = ["/gateway", "bury=/dir", "orphan=1h", "serve=127.0.0.1:$PORT2"]
ready.probe = "http://127.0.0.1:$PORT2/"
ready.interval = "100ms"
restart = { delay = "50ms", factor = 1.0 }
`

// unit has a script start gatewayd, under a tracer when there is an order. The
// tracer is no parent (-D) and lets go of what gatewayd executes (-b execve).
func (tr *traced) unit() {
	script := filepath.Join(tr.i.dir, "traced")
	mustWrite(tr.t, script, fmt.Sprintf(`#!/bin/sh
if [ "$1" = reap ] && rm %[1]s.skip; then exit; fi
if order=$(cat %[1]s.$1); then
	rm %[1]s.$1
	exec strace -D -I2 -f -q -b execve -o %[1]s $order %[2]s $1
fi
exec %[2]s $1
`, tr.trace, programs.gatewayd))
	must(tr.t, os.Chmod(script, 0o700))
	tr.i.dropIn("ExecStart=\nExecStart=" + script + " run\nExecStopPost=\nExecStopPost=" + script + " reap")
}

// all tries one call after the other, and says which were hit.
func (tr *traced) all(way string) {
	kills := 0
	for _, call := range calls {
		var hit []string
		for _, n := range counts {
			what := tr.at(way, call, fmt.Sprint(n))
			if what == "" {
				break
			}
			hit = append(hit, fmt.Sprint(n))
		}
		kills += len(hit)
		tr.t.Logf("%s: %s hit at %v", way, call, hit)
	}
	tr.t.Logf("%s: %d kills", way, kills)
}

// at has gatewayd killed at the n-th call, and wants all to be as it should be.
func (tr *traced) at(way, call, n string) string {
	order := fmt.Sprintf("-e trace=?%[1]s -e inject=?%[1]s:signal=KILL:when=%[2]s", call, n)
	_ = os.Remove(tr.trace)
	hit := ways[way](tr, order)
	if tr.i.property("ActiveState") != "active" {
		_ = tr.i.start() // it was stopped, and is what awaitClean looks at
	}
	tr.slate.awaitClean(fmt.Sprintf("a kill at %s %s of %s (%s)", call, n, way, hit))
	return hit
}

// starts has the unit start what under a tracer by do.
func (tr *traced) starts(what, order string, do func() error) string {
	mustWrite(tr.t, tr.trace+"."+what, order)
	_ = do() // a start may fail that is killed
	eventually(tr.t, "a traced "+what, func() error {
		if hitIn(tr.trace) != "" {
			return nil
		}
		if state := tr.i.property("ActiveState"); state != "active" {
			return fmt.Errorf("the unit is %s", state)
		}
		if _, err := os.Stat(tr.trace); err != nil {
			return err
		}
		return tr.settled()
	})
	letGo(tr.i)
	return hitIn(tr.trace)
}

// settled wants nothing to be left but the tracer.
func (tr *traced) settled() error {
	states, err := tr.i.states()
	for name, s := range states {
		if s.Phase != "ready" || tr.slate.standbys[name] && s.Standby.State != "created" {
			return fmt.Errorf("%s is %+v", name, s)
		}
	}
	return err
}

// letGo ends the tracers of what lives on, which then let go of it. A tracer of what
// was killed ends by itself, and would hang if it was told to while that is dying.
func letGo(i *instance) {
	i.t.Helper()
	seen := map[int]int{}
	eventually(i.t, "the end of the tracer", func() error {
		all := i.all()
		for _, p := range all {
			if !strings.HasPrefix(p.words, "strace ") {
				continue
			}
			if slices.ContainsFunc(all, func(of process) bool { return of.words != "" && tracerOf(of.pid) == p.pid }) {
				seen[p.pid]++
			}
			switch seen[p.pid] {
			case 2, 200, 400: // the first time it may have been killed just now
				_ = kill(p.pid, syscall.SIGTERM)
			case 600: // it hangs; what it traces ends with it
				_ = kill(p.pid, syscall.SIGKILL)
			}
			return errors.New(p.words)
		}
		return nil
	})
}

func tracerOf(pid int) (tracer int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(status), "TracerPid:")
	_, _ = fmt.Sscan(after, &tracer)
	return tracer
}

// hitIn is the call in a trace at which something was killed: it has no result,
// and whose it was did not exit. (Of what is killed nothing may follow, where the
// tracer was ended as well.)
func hitIn(trace string) string {
	text, _ := os.ReadFile(trace)
	for line := range strings.Lines(string(text)) {
		pid, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasSuffix(call, " = ?") && !strings.Contains(string(text), pid+" +++ exited ") {
			return strings.TrimSpace(call)
		}
	}
	return ""
}

// attached has a tracer attach to the gatewayd that runs, and then does something.
func (tr *traced) attached(order string, do func() error) string {
	pid := tr.i.mainPid()
	fd, err := unix.PidfdOpen(pid, 0)
	must(tr.t, err)
	defer unix.Close(fd)
	tracer := exec.Command("strace", append([]string{"-f", "-b", "execve", "-o", tr.trace, "-p", fmt.Sprint(pid)}, strings.Fields(order)...)...)
	said := new(locked)
	tracer.Stderr = said
	must(tr.t, tracer.Start())
	eventually(tr.t, "a tracer", func() error { return contains(said.String(), "attached") })
	_ = do() // gatewayd may be killed at it
	eventually(tr.t, "rest after what was done", func() error {
		if ended(fd) || hitIn(tr.trace) != "" { // what gatewayd forks is hit, too
			return nil
		}
		return tr.slate.clean()
	})
	endTracer(tracer, ended(fd))
	return hitIn(tr.trace)
}

// endTracer has a tracer let go of what lives on. That of a process that has been
// killed ends by itself; but told to while that is dying, and now and then untold, it
// waits for a zombie for ever. What a tracer traced that is killed goes on untraced
// (ptrace(2)).
func endTracer(tracer *exec.Cmd, killed bool) {
	gone := make(chan struct{})
	go func() { _ = tracer.Wait(); close(gone) }() // its error is the signal
	if killed && closes(5*time.Second, gone) {
		return
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if _ = tracer.Process.Signal(s); closes(5*time.Second, gone) { // it may end in this moment
			return
		}
	}
	<-gone
}

// closes says whether a channel is closed within d.
func closes(d time.Duration, c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-time.After(d):
		return false
	}
}

func ended(pidfd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
	return err == nil && n == 1
}

func (tr *traced) skipReap() { mustWrite(tr.t, tr.trace+".skip", "") }

func (tr *traced) kill() error { return kill(tr.i.mainPid(), syscall.SIGKILL) }

func (tr *traced) crash() error {
	states, err := tr.i.states()
	for _, s := range states {
		err = errors.Join(err, kill(s.Pid, syscall.SIGKILL))
	}
	return err
}

func (tr *traced) deploy() error {
	source := []string{filepath.Join(tr.i.dir, "two"), tr.i.values["ROOTFS"]}[tr.deploys%2]
	tr.deploys++
	return tr.i.command("deploy", "web", "--rootfs", source).Run()
}

// reload has a change for one of the gateways.
func (tr *traced) reload() error {
	text, err := os.ReadFile(tr.i.config)
	must(tr.t, err)
	changed := strings.Replace(string(text), "orphan=1h", "orphan=1h0m", 1)
	if strings.Contains(string(text), "orphan=1h0m") {
		changed = strings.Replace(string(text), "orphan=1h0m", "orphan=1h", 1)
	}
	mustWrite(tr.t, tr.i.config, changed)
	return tr.i.command("reload").Run()
}
