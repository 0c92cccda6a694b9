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

	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// bare is the workload of a gateway whose configuration refuses isolation: a
// plain process of the user's, with the staged tree as its directory and the
// same environment, cgroup, output and supervision as a container.
type bare struct {
	cmd    *exec.Cmd
	output *journal.Output
}

// prepareBare readies the command; the process is made at start.
func (la *launch) prepareBare() error {
	args := la.bareArgs()
	program, dir, err := la.bareProgram(args)
	if err != nil {
		return fmt.Errorf("%w: %w", supervisor.ErrPermanent, err)
	}
	cmd := &exec.Cmd{
		Path: program, Args: args, Dir: dir, Env: la.environment(),
		Stdout: la.output.Stdout(), Stderr: la.output.Stderr(),
		// Its own group, so that a kill without a cgroup reaches what it
		// forked; and it ends with gatewayd, as a container's init does by
		// its cgroup or the sweep.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	la.inLeaf(cmd)
	la.work = &bare{cmd: cmd, output: la.output}
	return nil
}

func (la *launch) bareArgs() []string {
	if len(la.gateway.Command) == 0 && la.packaged != nil && la.packaged.Process != nil {
		return la.packaged.Process.Args
	}
	return la.gateway.Command
}

// bareProgram finds the command's program and working directory beneath the
// staged tree, through os.Root: a symlink in the package cannot point out of it.
func (la *launch) bareProgram(args []string) (program, dir string, err error) {
	if len(args) == 0 {
		return "", "", errors.New("no command: neither the configuration nor the packaged bundle has one")
	}
	root, err := os.OpenRoot(la.rootfs())
	if err != nil {
		return "", "", err
	}
	defer func() { _ = root.Close() }()
	program, dir = inRoot(args[0]), inRoot(la.gateway.Workdir)
	for _, path := range []string{program, dir} {
		if _, err := root.Stat(path); err != nil {
			return "", "", fmt.Errorf("find in %s: %w", la.gateway.Rootfs, err)
		}
	}
	return filepath.Join(la.rootfs(), program), filepath.Join(la.rootfs(), dir), nil
}

// inRoot makes an absolute path of the gateway one that is relative to its root.
func inRoot(path string) string {
	if rel := strings.TrimLeft(path, "/"); rel != "" {
		return rel
	}
	return "."
}

func (b *bare) start(_ context.Context) (*runtime.Process, error) {
	err := b.cmd.Start()
	b.output.Release()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", b.cmd.Path, err)
	}
	return runtime.Watch(b.cmd.Process.Pid)
}

func (b *bare) remove(context.Context) error { return nil }

func (b *bare) words() string { return "" }
