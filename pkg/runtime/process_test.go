package runtime

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// child starts this binary as a program that the test owns, without os/exec
// waiting for it. argv0 and more arguments make it look like something else.
func child(t *testing.T, argv0 string, args ...string) int {
	t.Helper()
	process, err := os.StartProcess("/proc/self/exe", append([]string{argv0, "program", "ignore"}, args...), &os.ProcAttr{})
	must(t, err)
	pid := process.Pid
	must(t, process.Release())
	t.Cleanup(func() { _ = reapOrphan(pid) })
	return pid
}

func TestWatchRefusesStrangers(t *testing.T) {
	for _, pid := range []int{os.Getpid(), os.Getppid()} {
		if _, err := Watch(pid); !errors.Is(err, ErrNotChild) {
			t.Errorf("watch %d = %v, want ErrNotChild", pid, err)
		}
	}
	if _, err := Watch(-1); err == nil {
		t.Error("watch -1 succeeds")
	}
}

// Waiting for a process must take a goroutine and no thread.
func TestWatchTakesNoThread(t *testing.T) {
	threads := func() int {
		entries, err := os.ReadDir("/proc/self/task")
		must(t, err)
		return len(entries)
	}
	before := threads()
	var all []*Process
	for range 20 {
		p, err := Watch(child(t, "prog"))
		must(t, err)
		all = append(all, p)
	}
	runtime.Gosched()
	if grown := threads() - before; grown > 8 {
		t.Errorf("%d threads more for 20 processes", grown)
	}
	for _, p := range all {
		must(t, p.Signal(syscall.SIGKILL))
		<-p.Exited()
		must(t, p.Reap())
		p.Close()
	}
}

func TestCloseEndsTheWatch(t *testing.T) {
	p, err := Watch(child(t, "prog"))
	must(t, err)
	p.Close()
	p.Close()
	if err := p.Signal(0); err == nil {
		t.Error("signal after close succeeds")
	}
}

func TestDrops(t *testing.T) {
	term := uint64(1) << (syscall.SIGTERM - 1)
	for name, c := range map[string]struct {
		d    disposition
		sig  syscall.Signal
		want bool
	}{
		"no handler":                {disposition{init: true}, syscall.SIGTERM, true},
		"handler":                   {disposition{init: true, caught: term}, syscall.SIGTERM, false},
		"ignored by choice":         {disposition{init: true, ignored: term}, syscall.SIGTERM, false},
		"not PID 1":                 {disposition{}, syscall.SIGTERM, false},
		"handler of another signal": {disposition{init: true, caught: term << 1}, syscall.SIGTERM, true},
		"ignored by default":        {disposition{init: true}, syscall.SIGWINCH, false},
	} {
		if got := c.d.drops(c.sig); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestReapOrphans(t *testing.T) {
	dead, deadSpared, alive := child(t, "prog"), child(t, "prog"), child(t, "prog")
	owned, spared := child(t, "prog"), child(t, "prog")
	for _, pid := range []int{dead, deadSpared} {
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		waitFor(t, "a zombie", func() bool { s, err := readStat(pid); return err == nil && s.dead() })
	}
	own := func(pid int) bool { return pid == owned }
	spare := func(pid int) bool { return pid == spared || pid == deadSpared }
	if n, err := ReapOrphans(own, spare); n != 0 || err != nil {
		t.Errorf("reaped %d young children, %v", n, err)
	}
	if n, err := reapOrphans(own, spare, 0); n != 3 || err != nil {
		t.Errorf("reaped %d, %v, want 3", n, err)
	}
	for _, pid := range []int{dead, deadSpared, alive} {
		if _, err := readStat(pid); err == nil {
			t.Errorf("process %d is left", pid)
		}
	}
	for _, pid := range []int{owned, spared} {
		if s, err := readStat(pid); err != nil || s.dead() {
			t.Errorf("process %d was touched, which has an owner or is spared", pid)
		}
	}
}

func nobody(int) bool { return false }

// A child of os/exec that somebody waits for keeps its status.
func TestReapOrphansTakesNoStatus(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "program", "exit", "7")
	must(t, cmd.Start())
	_, err := reapOrphans(func(pid int) bool { return pid == cmd.Process.Pid }, nobody, 0)
	must(t, err)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("wait = %v, want exit status 7", err)
	}
}

func TestIdentity(t *testing.T) {
	pid := child(t, "prog")
	i, err := Identify(pid)
	must(t, err)
	if !i.Alive() {
		t.Error("not alive")
	}
	for name, other := range map[string]Identity{
		"another start": {i.Pid, i.Start + 1, i.Boot},
		"another boot":  {i.Pid, i.Start, "b"},
	} {
		if other.Alive() {
			t.Errorf("%s: alive", name)
		}
		must(t, other.Kill(t.Context()))
	}
	if !i.Alive() {
		t.Fatal("it was killed in the name of another")
	}
	must(t, i.Kill(t.Context()))
	if i.Alive() {
		t.Error("alive after kill")
	}
	must(t, i.Kill(t.Context()))
	if _, err := Identify(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("identify nobody = %v", err)
	}
}

func TestProcessesNaming(t *testing.T) {
	const id = "web-1-k2x9"
	call := child(t, sealedPrefix+"100", "--log", "/run/launches/"+id+"/create.log", id)
	child(t, sealedPrefix+"100", "/run/launches/"+id+"z/create.log") // another launch
	child(t, "prog", "unrelated")
	own := child(t, "gatewayd", "hook", id)                 // the same program as this one
	pager := exec.Command("/bin/sh", "-c", "read line", id) // an operator's: the program is another
	in, err := pager.StdinPipe()
	must(t, err)
	must(t, pager.Start())
	defer func() { in.Close(); _ = pager.Wait() }()
	waitFor(t, "the exec of the children", func() bool {
		return strings.Contains(strings.Join(arguments(own), " "), id) && strings.Contains(strings.Join(arguments(pager.Process.Pid), " "), id)
	})
	found, err := ProcessesNaming(id)
	must(t, err)
	pids := map[int]bool{}
	for _, i := range found {
		pids[i.Pid] = true
	}
	if len(pids) != 2 || !pids[call] || !pids[own] {
		t.Errorf("found %v, want %d and %d", pids, call, own)
	}
}

func TestNames(t *testing.T) {
	for _, arg := range []string{"web-1-ab", "/run/web-1-ab/log", "--id=web-1-ab", "web-1-abc/web-1-ab",
		"/user.slice/web-1-ab/init", "/:youki:web-1-ab"} {
		if !names(arg, "web-1-ab") {
			t.Errorf("%q does not name it", arg)
		}
	}
	for _, arg := range []string{"web-1-abc", "xweb-1-ab", "web-1-ab_", "", "/user.slice/x-web-1-ab"} {
		if names(arg, "web-1-ab") {
			t.Errorf("%q names it", arg)
		}
	}
	if names("anything", "") {
		t.Error("everything names the empty id")
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	fd, err := openPidfd(child(t, "prog"))
	must(t, err)
	defer fd.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := fd.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait = %v, want context.DeadlineExceeded", err)
	}
}
