package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/journal"
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
	return la.create(ctx)
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
	for _, passing := range []error{
		unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.EAGAIN, unix.EINTR, unix.ESTALE, unix.ETIMEDOUT,
	} {
		if errors.Is(err, passing) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", supervisor.ErrPermanent, err)
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

func (la *launch) rootfs() string { return filepath.Join(la.host.Dirs.Rootfs(), la.id) }

// stage copies the source's tree. What cannot become better by waiting is
// permanent: a source that escapes its root, asks for what is refused, or holds
// files that nobody here may read.
func (la *launch) stage(ctx context.Context) error {
	source, err := la.source()
	if err != nil {
		return permanent(err)
	}
	uid, gid := la.host.ids()
	if la.gateway.Isolation.Bare { // what root itself runs, nobody else may write
		uid, gid = os.Geteuid(), os.Getegid()
	}
	options := bundle.CopyOptions{IDs: bundle.SingleID(uid, gid), Helper: []string{"/proc/self/exe", "stage"}}
	_, err = bundle.Copy(ctx, source, la.rootfs(), options)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, bundle.ErrSpecialFile) {
		return fmt.Errorf("%w: %w", supervisor.ErrPermanent, err)
	}
	return err
}

// source returns the tree to stage. A packaged bundle is read anew for each
// launch, so that one which was upgraded in place is taken as it is now.
func (la *launch) source() (string, error) {
	if la.gateway.Bundle == "" {
		return la.gateway.Rootfs, nil
	}
	packaged, err := bundle.Open(la.gateway.Bundle)
	if err != nil {
		return "", err
	}
	la.packaged = packaged
	return packaged.Rootfs, nil
}

// openOutput makes the pipes for what the program writes. They belong to
// container root, or programs that open /dev/stdout by its path are refused.
func (la *launch) openOutput() error {
	from := journal.Launch{Gateway: la.gateway.Name, Number: la.n, ContainerID: la.id}
	output, err := journal.OpenOutput(from, la.host.Write)
	if err != nil {
		return err
	}
	la.output = output
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
