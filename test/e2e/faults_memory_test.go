package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// Without memory for another process, or for another thread of gatewayd, nothing of
// gatewayd ends: it says what is lacking, and launches again when there is some.
func TestNoMemoryForProcesses(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		testenv.Skip(t, "needs strace: make setup-test, or apt-get install strace")
	}
	i := newSystemInstance(t)
	i.configure(steady)
	i.mustStart()
	web, other, pid := i.awaitReady("web"), i.awaitReady("other"), i.mainPid()
	eventually(t, "spare threads", func() error { return threads(pid, 16) })
	undo := i.without(pid, "clone,clone3,fork,vfork", "ENOMEM")
	web.kill(t)
	i.causes("gateway-backoff", "web", "cannot allocate memory", "MemoryMax=")
	i.await("web", "failing again", func(s state) bool { return s.Failures > 3 })
	undo()
	i.awaitLaunch("web", web.Launch)
	if s := i.awaitReady("other"); s.ID != other.ID {
		t.Errorf("the other one was ended: %+v", s)
	}
	if now := i.mainPid(); now != pid {
		t.Errorf("gatewayd itself was ended: pid %d, was %d", now, pid)
	}
	eventually(t, "two containers", func() error { return i.exactly(2) })
	i.mustStop()
	i.mustBeNothing()
}

func threads(pid, least int) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err == nil && len(tasks) < least {
		err = fmt.Errorf("%d of %d", len(tasks), least)
	}
	return err
}

// without has the kernel refuse some calls of a process, until undo.
func (i *instance) without(pid int, calls, errno string) (undo func()) {
	i.t.Helper()
	strace := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-p", strconv.Itoa(pid), "-e", "trace="+calls, "-e", "inject="+calls+":error="+errno)
	if err := strace.Start(); err != nil {
		i.t.Fatal(err)
	}
	undo = func() {
		_ = strace.Process.Kill() // its tracees go on
		_ = strace.Wait()
	}
	i.t.Cleanup(undo)
	eventually(i.t, "strace at all threads", func() error {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		for _, task := range tasks {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
			if strings.Contains(string(status), "TracerPid:\t0\n") {
				return fmt.Errorf("not at thread %s", task.Name())
			}
		}
		return err
	})
	return undo
}
