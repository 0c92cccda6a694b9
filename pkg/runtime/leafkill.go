package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// Kill ends every process in the leaf and below, at once, forks in progress
// included (cgroup.kill, Linux 5.14), and waits until there is none left. The
// leaf stays. Gone already: nil. ErrRunning: ctx ended first.
func (l *Leaf) Kill(ctx context.Context) error {
	err := opened(l.Dir(), "cgroup.kill", func(path string) error { return writeControl(path, "1") })
	step.Done("leaf-killed")
	if gone(err) {
		if _, err := os.Stat(l.Dir()); gone(err) {
			return nil
		}
		return l.killEach(ctx)
	}
	if err != nil {
		return fmt.Errorf("kill cgroup: %w", err)
	}
	return l.empty(ctx)
}

// killEach is Kill on a kernel without cgroup.kill: again and again until no
// process is listed, as they may fork meanwhile.
func (l *Leaf) killEach(ctx context.Context) error {
	for {
		pids, err := l.Procs()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := l.killOne(ctx, pid); err != nil {
				return fmt.Errorf("kill cgroup %s: %w", l.path, err)
			}
		}
	}
}

func (l *Leaf) killOne(ctx context.Context, pid int) error {
	fd, err := openPidfd(pid)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer fd.Close()
	if !l.Holds(pid) { // asked after the descriptor was opened: it is this process
		return nil
	}
	if err := fd.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if err := fd.wait(ctx); err != nil {
		return fmt.Errorf("process %d is %w: %w", pid, ErrRunning, err)
	}
	return nil
}

// Holds says whether the process pid is in the leaf or below. A nil leaf holds
// none.
func (l *Leaf) Holds(pid int) bool {
	return l != nil && slices.ContainsFunc(cgroupsOf(pid), func(path string) bool {
		return path == l.path || strings.HasPrefix(path, l.path+"/")
	})
}

// empty waits for populated 0 in cgroup.events. Zombies do not count.
func (l *Leaf) empty(ctx context.Context) error {
	err := l.await(ctx, "populated", "0")
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrRunning, err)
	}
	if err != nil {
		return fmt.Errorf("wait for cgroup %s: %w", l.path, err)
	}
	return nil
}
