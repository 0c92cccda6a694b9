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
)

// brood is a runtime call with all that it has forked.
//
// youki forks an intermediate process and the container's init, runc re-executes
// itself as "runc init" in a session of its own, hooks are any program. What
// tells them: they descend from the call; and where their parents are dead and
// they have become our own children, they hold the call's log path in their
// command line (a fork keeps it), or are in its process group, or in the
// container's cgroup. Nothing that does not descend from us is ever touched.
type brood struct {
	log   string
	group int // process group of the call, once known
	init  *initOf
	ended []*member
}

// initOf tells the init of the container that a create was to make. Other calls
// have none: the container's init is not theirs to end.
type initOf struct {
	id    string
	leaf  *Leaf
	begin uint64             // of the call, in ticks
	owned func(pid int) bool // the init of a container that was made
}

type member struct {
	stat
	fd *pidfd
}

// kill stops the members one generation after the other, so that none can fork
// unseen, then kills all of them and waits for their end.
func (b *brood) kill(ctx context.Context) error {
	var found []*member
	var errs []error
	for again := true; again && ctx.Err() == nil; {
		var more []*member
		var err error
		more, again, err = b.stopNew(found)
		found, errs = append(found, more...), append(errs, err)
	}
	for _, m := range found {
		errs = append(errs, m.fd.signal(syscall.SIGKILL))
	}
	for _, m := range found {
		if err := m.fd.wait(ctx); err != nil {
			errs = append(errs, fmt.Errorf("process %d is %w: %w", m.pid, ErrRunning, err))
		}
	}
	b.ended = append(b.ended, found...)
	return errors.Join(errs...)
}

// stopNew stops the members that are not known yet. again: there was one, and
// it may have forked meanwhile, even if it is gone by now.
func (b *brood) stopNew(known []*member) (more []*member, again bool, err error) {
	stats, err := descendants(os.Getpid())
	if err != nil {
		return nil, false, err
	}
	known = slices.Concat(b.ended, known)
	for _, s := range b.choose(stats) {
		if slices.ContainsFunc(known, func(m *member) bool { return m.pid == s.pid && m.start == s.start }) {
			continue
		}
		again = true
		m, err := stop(s)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return more, false, err
		}
		more = append(more, m)
	}
	return more, again, nil
}

var errGone = errors.New("process is gone")

// stop takes hold of a process, or returns errGone. One that cannot be stopped
// is held nevertheless: whether it can be killed is another question.
func stop(s stat) (*member, error) {
	fd, err := openPidfd(s.pid)
	if errors.Is(err, unix.ESRCH) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	if now, err := readStat(s.pid); err != nil || now.start != s.start {
		fd.Close() // another process has got the pid before it was opened
		return nil, errGone
	}
	_ = fd.signal(syscall.SIGSTOP)
	return &member{s, fd}, nil
}

// reap takes away the zombies that have become our children, after the call
// itself has been waited for by os/exec.
func (b *brood) reap() error {
	var errs []error
	for _, m := range b.ended {
		if _, err := m.fd.waitid(0); err != nil && !errors.Is(err, ErrNotChild) {
			errs = append(errs, err)
		}
	}
	b.release()
	return errors.Join(errs...)
}

// release gives up what could not be waited for; ReapOrphans finds it.
func (b *brood) release() {
	for _, m := range b.ended {
		m.fd.Close()
	}
	b.ended = nil
}

// choose picks the members, parents before children.
func (b *brood) choose(stats []stat) []stat {
	chosen := map[int]bool{}
	var members []stat
	for _, s := range stats {
		if chosen[s.parent] || b.bears(s) || b.init != nil && b.init.is(s) {
			chosen[s.pid] = true
			members = append(members, s)
		}
	}
	return members
}

func (b *brood) bears(s stat) bool {
	return b.group != 0 && s.group == b.group || slices.Contains(arguments(s.pid), b.log)
}

func (i *initOf) is(s stat) bool {
	if i.leaf != nil && slices.Contains(cgroupsOf(s.pid), i.leaf.path) {
		return true
	}
	return inCgroupOf(s.pid, i.id) || i.isZombie(s)
}

// isZombie is for cgroup v1, where a zombie is in no cgroup any more: youki
// leaves one when its init fails. It may also be that of another create whose
// call has just ended and whose init has not been watched yet. That create
// fails either way, as its init is dead.
func (i *initOf) isZombie(s stat) bool {
	if !s.dead() || s.parent != os.Getpid() || s.start < i.begin || i.owned(s.pid) {
		return false
	}
	d, err := readDisposition(s.pid)
	return err == nil && d.init
}

// descendants lists the processes below the process pid, parents first.
func descendants(pid int) ([]stat, error) {
	pids, err := allPids()
	if err != nil {
		return nil, err
	}
	below := map[int][]stat{}
	for _, p := range pids {
		if s, err := readStat(p); err == nil {
			below[s.parent] = append(below[s.parent], s)
		}
	}
	list := slices.Clone(below[pid])
	for i := 0; i < len(list); i++ {
		list = append(list, below[list[i].pid]...)
	}
	return list, nil
}

// cgroupsOf returns the paths in /proc/PID/cgroup, one for each hierarchy.
func cgroupsOf(pid int) []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil
	}
	var paths []string
	for line := range strings.Lines(string(data)) {
		if fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3); len(fields) == 3 {
			paths = append(paths, fields[2])
		}
	}
	return paths
}
