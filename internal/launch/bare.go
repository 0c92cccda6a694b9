package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gatewayd/gatewayd/internal/inside"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// bare is the workload of a gateway whose configuration refuses isolation: a
// plain process of the user's, with the staged tree as its directory and the
// same environment, cgroup, output and supervision as a container.
type bare struct {
	cmd    *exec.Cmd
	host   *Host
	output *journal.Output
}

// prepareBare readies the command; the process is made at start. Arguments,
// directory and environment are those that a container would have.
func (la *launch) prepareBare() error {
	spec, err := la.spec()
	if err != nil {
		return permanent(err)
	}
	program, dir, err := la.bareProgram(spec.Process.Args[0], spec.Process.Cwd)
	if err != nil {
		return permanent(err)
	}
	la.tell(func(i *Info) { i.Posture = postureBare })
	cmd := &exec.Cmd{
		Path: program, Args: spec.Process.Args, Dir: dir, Env: spec.Process.Env,
		Stdout: la.output.Stdout(), Stderr: la.output.Stderr(),
		// Its own group, so that a kill without a cgroup reaches what it
		// forked; and it ends with gatewayd, as a container's init does by
		// its cgroup or the sweep.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	if err := errors.Join(la.writeSecrets(), la.openPassed()); err != nil {
		return err
	}
	la.clearSecrets()
	if len(la.passed) > 0 {
		// By way of ourselves: LISTEN_PID must be the pid of the program.
		cmd.Path, cmd.Args = "/proc/self/exe", append([]string{"gatewayd", "init", inside.Separator, program}, cmd.Args[1:]...)
		cmd.ExtraFiles, la.passed = la.passed, nil
	}
	la.inLeaf(cmd)
	la.work = &bare{cmd: cmd, host: la.host, output: la.output}
	la.host.children.spare(la)
	return nil
}

// bareProgram finds the command's program and working directory beneath the
// staged tree, through os.Root: a symlink in the package cannot point out of it.
func (la *launch) bareProgram(path, cwd string) (program, dir string, err error) {
	root, err := os.OpenRoot(la.staged.Root)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = root.Close() }()
	program, dir = inRoot(path), inRoot(cwd)
	for _, path := range []string{program, dir} {
		if _, err := root.Stat(path); err != nil {
			return "", "", fmt.Errorf("find in the staged tree: %w", err)
		}
	}
	return filepath.Join(la.staged.Root, program), filepath.Join(la.staged.Root, dir), nil
}

// inRoot makes an absolute path of the gateway one that is relative to its root.
func inRoot(path string) string {
	if rel := strings.TrimLeft(path, "/"); rel != "" {
		return rel
	}
	return "."
}

func (b *bare) start(ctx context.Context) (*runtime.Process, error) {
	cmd, err := b.fork(ctx)
	step.Done("bare-started")
	b.output.Release()
	b.closePassed()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	process, err := runtime.Watch(cmd.Process.Pid)
	if err != nil { // nobody would own it
		return nil, errors.Join(err, cmd.Process.Kill(), ignoreExit(cmd.Wait()))
	}
	return process, cmd.Process.Release() // os/exec is not the one that waits for it
}

const (
	busyTime  = time.Second // a child that is forked executes its program long before
	busyPause = 2 * time.Millisecond
)

// fork starts the program. It was copied a moment ago, and a child that another part
// of this process was forking then has it open for writing until it executes a
// program of its own: so long it is busy (ETXTBSY in execve(2)).
func (b *bare) fork(ctx context.Context) (*exec.Cmd, error) {
	for end := time.Now().Add(busyTime); ; {
		cmd := &exec.Cmd{
			Path: b.cmd.Path, Args: b.cmd.Args, Dir: b.cmd.Dir, Env: b.cmd.Env, Stdout: b.cmd.Stdout, Stderr: b.cmd.Stderr,
			ExtraFiles: b.cmd.ExtraFiles, SysProcAttr: b.cmd.SysProcAttr, // os/exec starts none twice
		}
		err := b.host.onMainThread(ctx, cmd.Start)
		if !errors.Is(err, syscall.ETXTBSY) || time.Now().After(end) {
			return cmd, err
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return cmd, err
		}
	}
}

// ignoreExit drops the news that a process which was killed did not succeed.
func ignoreExit(err error) error {
	if errors.As(err, new(*exec.ExitError)) {
		return nil
	}
	return err
}

// kill ends the process group. While the leader is not reaped, no other group
// can have its number.
func (b *bare) kill(process *runtime.Process) error {
	_ = syscall.Kill(-process.Pid(), syscall.SIGKILL) // no such group: all of it is gone
	step.Done("bare-group-killed")
	return process.Signal(syscall.SIGKILL)
}

func (b *bare) remove(context.Context) error {
	b.closePassed()
	return nil
}

func (b *bare) closePassed() {
	closePassed(b.cmd.ExtraFiles)
	b.cmd.ExtraFiles = nil
}

func (b *bare) words() string { return "" }
