package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// lastWords is how long output is waited for when the program has ended but
// something that it started holds its stdout open.
const lastWords = 200 * time.Millisecond

// Exec returns the probe that runs a program; exit code 0 is good. start makes
// the command by exec.CommandContext with the context that it is given. Its
// output is taken here, and it runs in a process group of its own, which is
// killed as a whole when ctx ends. What is told of its output has no secrets.
func Exec(start func(ctx context.Context) *exec.Cmd, secrets *redact.Set) Probe {
	return func(ctx context.Context) error {
		if err := run(ctx, start(ctx), secrets); err != nil {
			return fmt.Errorf("exec probe: %w", err)
		}
		return nil
	}
}

func run(ctx context.Context, cmd *exec.Cmd, secrets *redact.Set) error {
	began := time.Now()
	output := newTail(secrets)
	cmd.Stdout, cmd.Stderr = output, output
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	awaitEnd(cmd.Process.Pid)
	_ = cmd.Cancel() // what it leaves behind, which may be nothing
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // exit code 0; something that left the group holds stdout
	}
	if err != nil && ctx.Err() != nil {
		return withOutput(ended(ctx, began), output)
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return withOutput(exited(exit), output)
	}
	return err
}

// ownGroup makes the end of the context the end of all that cmd started: of
// nsenter, which forks into a pid namespace, the child is what matters.
func ownGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.WaitDelay = lastWords
	cmd.Cancel = func() error {
		err := unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		if errors.Is(err, unix.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// awaitEnd waits for the end of a child without reaping it: so long is its
// number, which is that of the group too, not given to anybody else.
func awaitEnd(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// exited tells code and signal apart.
func exited(exit *exec.ExitError) error {
	status, ok := exit.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return fmt.Errorf("killed by %s", unix.SignalName(status.Signal()))
	}
	return fmt.Errorf("exit code %d", exit.ExitCode())
}

func withOutput(err error, output *tail) error {
	output.shown.Flush()
	if len(output.bytes) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, excerpt(output.bytes))
}

// tail keeps the last maxExcerpt bytes of what may be shown: errors come last.
type tail struct {
	shown *redact.Stream
	bytes []byte
}

func newTail(secrets *redact.Set) *tail {
	t := &tail{}
	t.shown = secrets.Stream(t.keep)
	return t
}

func (t *tail) Write(p []byte) (int, error) {
	t.shown.Write(p)
	return len(p), nil
}

func (t *tail) keep(p []byte) {
	t.bytes = append(t.bytes, p[max(0, len(p)-maxExcerpt):]...)
	t.bytes = append(t.bytes[:0], t.bytes[max(0, len(t.bytes)-maxExcerpt):]...)
}
