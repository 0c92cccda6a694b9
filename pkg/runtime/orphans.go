package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// orphanAge is how long a child may be without an owner. It is longer than any
// runtime call: between the end of create and Watch, the init of a container
// has none.
const orphanAge = time.Minute

// killPatience bounds the wait for the end of what got SIGKILL. Only a process
// in uninterruptible sleep (a dead network file system) takes longer.
const killPatience = 5 * time.Second

// BecomeSubreaper makes this process inherit what its descendants leave behind:
// the init of a container, whose parent is the runtime call that ends. Call it
// before the first Create (prctl(2), PR_SET_CHILD_SUBREAPER).
func BecomeSubreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	return nil
}

// ReapOrphans reaps the children that nobody owns, as a killed runtime, hook or
// probe leaves them, one by one by pidfd, and returns how many. Those that
// still live are killed first. It never waits for "any child", which would take
// away the status that an owner waits for.
//
// owned must say true for every pid that another part of the program started or
// watches: Process.Pid, exec.Cmd. Runtime calls in progress need not be known:
// children younger than a minute are left alone (a longer CallTimeout than that
// must not be used together with this).
//
// spared says true for a pid that may live on without an owner, as what a
// program has forked and left to us while it runs itself. It is reaped when it
// has ended, and not killed.
func ReapOrphans(owned, spared func(pid int) bool) (n int, err error) {
	return reapOrphans(owned, spared, orphanAge)
}

func reapOrphans(owned, spared func(pid int) bool, age time.Duration) (n int, err error) {
	pids, err := children()
	if err != nil {
		return 0, fmt.Errorf("reap orphans: %w", err)
	}
	now, err := uptime()
	if err != nil {
		return 0, fmt.Errorf("reap orphans: %w", err)
	}
	var errs []error
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil || owned(pid) || s.start > inTicks(max(0, now-age)) || !s.dead() && spared(pid) {
			continue
		}
		if err := reapOrphan(pid); err != nil {
			errs = append(errs, fmt.Errorf("reap orphan %d: %w", pid, err))
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// ReapOrphans is ReapOrphans for what became our child in the leaf and below,
// however young: it is for a leaf in which nothing starts any more. All of it is
// ended. A nil leaf has none.
func (l *Leaf) ReapOrphans(owned func(pid int) bool) error {
	for l != nil {
		n, err := l.reapOrphans(owned)
		if err != nil {
			return fmt.Errorf("reap orphans of cgroup %s: %w", l.path, err)
		}
		if n == 0 {
			break
		}
		// Once more: the kernel's list of children may leave one out when another goes.
	}
	return nil
}

func (l *Leaf) reapOrphans(owned func(pid int) bool) (n int, err error) {
	pids, err := children()
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if owned(pid) || !l.Holds(pid) {
			continue
		}
		if err := reapOrphan(pid); err != nil && !errors.Is(err, ErrNotChild) { // reaped by another call
			return n, fmt.Errorf("process %d: %w", pid, err)
		}
		n++
	}
	return n, nil
}

// reapOrphan ends and reaps one child. A pid that is our child stays so until
// it is reaped, and ErrNotChild tells the rest.
func reapOrphan(pid int) error {
	fd, err := openPidfd(pid)
	if err != nil {
		return err
	}
	defer fd.Close()
	defer step.Done("orphan-ended")
	end, err := fd.waitid(0)
	if err != nil || end.exited {
		return err
	}
	if err := fd.signal(syscall.SIGKILL); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	if err := fd.wait(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrRunning, err)
	}
	_, err = fd.waitid(0)
	return err
}

// ReapEntered ends and reaps what entered a pid namespace below ours and lost
// its parent: what nsenter(1) has started there and left behind. It becomes our
// child, since nsenter itself is outside of that namespace. And as long as it is
// not reaped, be it a zombie, the init of the namespace cannot end
// (zap_pid_ns_processes in kernel/pid_namespace.c).
func ReapEntered() error {
	pids, err := allPids() // the kernel's list of children may leave one out when another one goes
	if err != nil {
		return fmt.Errorf("reap entered processes: %w", err)
	}
	var errs []error
	for _, pid := range pids {
		if !entered(pid) {
			continue
		}
		if err := reapOrphan(pid); err != nil && !errors.Is(err, ErrNotChild) { // reaped by another call
			errs = append(errs, fmt.Errorf("reap entered process %d: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}

// entered says whether pid is our child in a pid namespace of which it is not
// the init.
func entered(pid int) bool {
	if s, err := readStat(pid); err != nil || s.parent != os.Getpid() {
		return false
	}
	d, err := readDisposition(pid)
	return err == nil && d.nested && !d.init
}
