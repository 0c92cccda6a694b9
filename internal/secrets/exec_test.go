package secrets

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
)

func shell(script string) config.Secret {
	return secret(config.SecretExec, "", "sh", "-c", script)
}

func TestProgram(t *testing.T) {
	from := sources("HOME", "/home/of/mine", "TOKEN", "of another gateway", "NOTIFY_SOCKET", "@systemd")
	reads(t, from, shell("printf %s "+canary+"; echo noise >&2"), canary)
	reads(t, from, shell("cat; echo $HOME $TOKEN$NOTIFY_SOCKET; pwd"), "/home/of/mine\n/\n")
	reads(t, from, secret(config.SecretExec, "", "/bin/echo", canary), canary+"\n")
}

// Neither what it printed nor how it was called is told.
func TestProgramThatFails(t *testing.T) {
	for _, script := range []string{"echo " + canary + "; exit 3", "echo " + canary + " >&2; kill -9 $$"} {
		why := refused(t, sources(), shell(script), nil)
		if !strings.Contains(why, "exit status 3") && !strings.Contains(why, "killed") {
			t.Errorf("%q does not say how it ended", why)
		}
	}
	refused(t, sources(), secret(config.SecretExec, "", "no-such-program", canary), nil)
	refused(t, sources(), secret(config.SecretExec, "", "/no/such/program", canary), nil)
}

func TestProgramThatPrintsForEver(t *testing.T) {
	refused(t, sources(), shell("exec yes "+canary), ErrUnfit)
}

// A program that hangs is ended with all that it started, also by an operator
// who does not want to wait.
func TestProgramThatHangs(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	s := shell("sleep 1000 & echo $$ $! >" + pids + "; echo " + canary + "; wait")
	s.Timeout = 300 * time.Millisecond
	refused(t, sources(), s, nil)
	gone(t, pids)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sources().Read(ctx, shell("sleep 1000")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// It prints a value, and leaves a process in its group that holds nothing of ours.
func TestProgramThatLeavesAProcess(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	reads(t, sources(), shell("sleep 1000 >/dev/null & echo $! >"+pids+"; echo "+canary), canary+"\n")
	gone(t, pids)
}

// One that closed its output may still hang.
func TestProgramThatHangsBehindItsOutput(t *testing.T) {
	s := shell("echo " + canary + "; exec >&-; sleep 1000")
	s.Timeout = 300 * time.Millisecond
	refused(t, sources(), s, nil)
}

func gone(t *testing.T, pids string) {
	t.Helper()
	text, err := os.ReadFile(pids)
	must(t, err)
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		must(t, err)
		for late := time.Now().Add(30 * time.Second); runs(pid); time.Sleep(time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("process %d is left", pid)
			}
		}
	}
}

// runs: a zombie that nobody has reaped yet does not.
func runs(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(data), ") Z ") && syscall.Kill(pid, 0) == nil
}
