package probe

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func shell(script string) Probe {
	return Exec(func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "/bin/sh", "-c", script) }, nil)
}

func TestExec(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"exit 0", ""},
		{"exit 3", "exec probe: exit code 3"},
		{"echo no >&2; printf 'lock\\033[2J'; exit 1", `exec probe: exit code 1: "no\nlock\x1b[2J"`},
		{"kill -TERM $$", "exec probe: killed by SIGTERM"},
	} {
		err := shell(test.script)(soon(t))
		if got := text(err); got != test.want {
			t.Errorf("%s: got %q, want %q", test.script, got, test.want)
		}
	}
	if err := Exec(func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "/no/such") }, nil)(soon(t)); err == nil {
		t.Error("a program that is not there is good")
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestExecKeepsTheLastWords(t *testing.T) {
	err := shell("yes | head -c 1000000; echo the last; exit 1")(soon(t))
	if err == nil || !strings.HasSuffix(err.Error(), `the last"`) || len(err.Error()) > 3*maxExcerpt {
		t.Error(err)
	}
}

// The program of nsenter is a child of what we start: its end must come too.
func TestExecEndsTheWholeGroup(t *testing.T) {
	for name, script := range map[string]string{
		"hangs":             "sleep 1000 & echo $! >$0; wait",
		"fails and leaves":  "sleep 1000 & echo $! >$0; exit 1",
		"good but leaves":   "sleep 1000 & echo $! >$0; exit 0",
		"good, leaves mute": "sleep 1000 >/dev/null 2>&1 & echo $! >$0; exit 0",
	} {
		file := t.TempDir() + "/pid"
		probe := Exec(func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "/bin/sh", "-c", script, file) }, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := probe(ctx)
		cancel()
		if good := strings.HasPrefix(name, "good"); (err == nil) != good || errors.Is(err, context.DeadlineExceeded) != (name == "hangs") {
			t.Errorf("%s: %v", name, err)
		}
		awaitDeath(t, readPid(t, file))
	}
}

func readPid(t *testing.T, file string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// awaitDeath waits until pid, which was killed, has died; pid 1 reaps it.
func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000); n != 1 {
		t.Errorf("process %d lives on: %v", pid, err)
		unix.Kill(pid, unix.SIGKILL)
	}
}

func TestExecCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := shell("sleep 1000")(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
