package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// prepare stages the launch and creates its container, in an order in which
// Clean finds whatever a failed step leaves.
func (la *launch) prepare(ctx context.Context) error {
	defer la.host.children.hold()()
	if err := la.preflight(); err != nil {
		return err
	}
	if err := la.makeDir(); err != nil {
		return err
	}
	if err := la.readSecrets(ctx); err != nil {
		return err
	}
	if err := la.takePorts(ctx); err != nil {
		return err
	}
	if err := la.stage(ctx); err != nil {
		return err
	}
	if err := la.openOutput(); err != nil {
		return err
	}
	if !la.gateway.Isolation.Bare {
		defer la.output.Release() // the container has its own copies then
	}
	if err := la.makeLeaf(); err != nil {
		return err
	}
	if err := la.openProbe(); err != nil {
		return err
	}
	if la.gateway.Isolation.Bare {
		return la.prepareBare()
	}
	if err := la.create(ctx); err != nil {
		if la.staged.Mode == staging.Overlay && !la.trying && ctx.Err() == nil {
			la.host.doubt(ctx)
		}
		return err
	}
	la.watchSource()
	return nil
}

// preflight refuses what depends on the moment and not on the configuration's
// text: until a reload or an operator's start it is not tried again.
func (la *launch) preflight() error {
	if problems := la.gateway.Warnings(la.host.Env); len(problems) > 0 {
		errs := make([]error, len(problems))
		for i, problem := range problems {
			errs[i] = errors.New(problem)
		}
		return fmt.Errorf("%w: %w", supervisor.ErrPermanent, errors.Join(errs...))
	}
	return nil
}

// permanent marks what goes wrong with the package or the configuration, and
// would again. What the machine is short of, or a disk that does not answer, is
// left as it is: that may pass.
func permanent(err error) error {
	if isPassing(err) {
		return err
	}
	return fmt.Errorf("%w: %w", supervisor.ErrPermanent, err)
}

func isPassing(err error) bool {
	for _, passing := range []error{
		unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.EAGAIN, unix.EINTR, unix.ESTALE, unix.ETIMEDOUT,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

func (la *launch) makeDir() error {
	id, path, err := bundle.MakeDir(la.host.Dirs.Launches(), la.gateway.Name, la.n, 0o700)
	if err != nil {
		return err
	}
	la.id, la.dir = id, path
	la.tell(func(i *Info) { i.ID, i.Bare = id, la.gateway.Isolation.Bare })
	if os.Geteuid() == 0 {
		return letPass(path) // to the socket in it
	}
	return nil
}

// openOutput makes the pipes for what the program writes. They belong to
// container root, or programs that open /dev/stdout by its path are refused.
func (la *launch) openOutput() error {
	from := journal.Launch{Gateway: la.gateway.Name, Number: la.n, ContainerID: la.id}
	output, err := journal.OpenOutput(from, la.write, la.host.Redact)
	if err != nil {
		return err
	}
	la.output = output
	if !la.ids.Single() {
		// A program that becomes another user may still open /dev/stdout.
		if err := errors.Join(output.Stdout().Chmod(0o622), output.Stderr().Chmod(0o622)); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 || la.gateway.Isolation.Bare {
		return nil
	}
	uid, gid := la.host.ids()
	return errors.Join(output.Stdout().Chown(uid, gid), output.Stderr().Chown(uid, gid))
}

func (la *launch) makeLeaf() (err error) {
	if la.host.Cgroup == nil {
		return nil
	}
	if la.leaf, err = la.host.Cgroup.Leaf(la.id); err != nil {
		return err
	}
	la.leafDir, err = os.Open(la.leaf.Dir())
	return err
}

// inLeaf has the kernel start cmd in the launch's cgroup (CLONE_INTO_CGROUP),
// so that it ends with everything else there.
func (la *launch) inLeaf(cmd *exec.Cmd) {
	if la.leafDir != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(la.leafDir.Fd())
	}
}
