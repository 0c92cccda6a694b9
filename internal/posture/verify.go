package posture

import (
	"errors"
	"fmt"
	"os"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// Verify reads back how the process pid is isolated. The pid has to be a child's that
// is not reaped, so that it cannot become another's. An error, which may be
// ErrNotBegun or ErrEnded, says that there is no answer; what differs is in the Report.
func (p Promise) Verify(pid int) (Report, error) {
	report, err := p.verify(process(pid))
	if (err != nil || report.Err() != nil) && process(pid).ended() {
		return Report{}, ErrEnded
	}
	if err != nil && !errors.Is(err, ErrNotBegun) {
		err = fmt.Errorf("read back how pid %d is isolated: %w", pid, err)
	}
	return report, err
}

func (p Promise) verify(pid process) (Report, error) {
	c := check{Promise: p, process: pid, placed: map[int]Mount{}}
	var err error
	if c.exe, err = pid.executable(); err != nil {
		return Report{}, err
	}
	if c.facts, err = pid.facts(); err != nil {
		return Report{}, err
	}
	if c.root, err = unix.Open(pid.path("root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return Report{}, &os.PathError{Op: "open", Path: pid.path("root"), Err: err}
	}
	defer func() { _ = unix.Close(c.root) }()
	if c.moved, err = c.hasMoved(); err != nil {
		return Report{}, err
	}
	if !c.moved && c.facts.byID[int(c.exe.Mnt_id)] == nil { // it is the runtime's, and none of the container's
		return Report{}, fmt.Errorf("%w: it is %s", ErrNotBegun, pid.link("exe"))
	}
	if c.ours, err = process(os.Getpid()).facts(); err != nil {
		return Report{}, err
	}
	return c.all()
}

// hasMoved says whether the program has called chroot(2), which it may by a capability:
// of the mounts the kernel shows those below its new root alone. No runtime leaves a
// process where nothing is mounted.
func (c *check) hasMoved() (bool, error) {
	if !c.may(capability.CAP_SYS_CHROOT) {
		return false, nil
	}
	st, err := statAt(c.root, "", unix.AT_EMPTY_PATH)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0, err
}

func (c *check) all() (Report, error) {
	c.ids()
	c.powers()
	c.namespaces()
	c.resources()
	c.program()
	if c.moved {
		c.unseen("root, mounts, paths and open files", errors.New("the program has called chroot(2)"))
		return c.report, nil
	}
	for _, step := range []func() error{c.rootMount, c.promisedMounts, c.otherMounts, c.paths, c.files} {
		err := step()
		if isClosed(err) {
			c.unseen("what lies in closed directories", err)
			continue
		}
		if err != nil {
			return c.report, err
		}
	}
	return c.report, nil
}
