package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
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
	id    string // of a container whose cgroups may be killed with it; "" else
	leaf  *Leaf
	group int // process group of the call, once known
	ended []*member
}

type member struct {
	stat
	fd *pidfd
}

// kill stops the members one generation after the other, so that none can fork
// unseen, then kills all of them and waits for their end.
func (b *brood) kill(ctx context.Context) error {
	var found []*member
	for {
		more, err := b.stopNew(found)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			break
		}
		found = append(found, more...)
	}
	var errs []error
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

func (b *brood) stopNew(known []*member) ([]*member, error) {
	stats, err := descendants(os.Getpid())
	if err != nil {
		return nil, err
	}
	known = slices.Concat(b.ended, known)
	var more []*member
	for _, s := range b.choose(stats) {
		if slices.ContainsFunc(known, func(m *member) bool { return m.pid == s.pid && m.start == s.start }) {
			continue
		}
		fd, err := openPidfd(s.pid)
		if err != nil {
			continue // gone meanwhile
		}
		if now, err := readStat(s.pid); err != nil || now.start != s.start {
			fd.Close() // another process has got the pid before it was opened
			continue
		}
		if err := fd.signal(syscall.SIGSTOP); err != nil {
			fd.Close()
			return more, fmt.Errorf("stop process %d: %w", s.pid, err)
		}
		more = append(more, &member{s, fd})
	}
	return more, nil
}

// reap takes away the zombies that have become our children, after the call
// itself has been waited for by os/exec.
func (b *brood) reap() error {
	var errs []error
	for _, m := range b.ended {
		if _, err := m.fd.waitid(0); err != nil && !errors.Is(err, ErrNotChild) {
			errs = append(errs, err)
		}
		m.fd.Close()
	}
	b.ended = nil
	return errors.Join(errs...)
}

// choose picks the members, parents before children.
func (b *brood) choose(stats []stat) []stat {
	inLeaf, _ := b.leaf.Procs()
	chosen := map[int]bool{}
	var members []stat
	for _, s := range stats {
		if chosen[s.parent] || slices.Contains(inLeaf, s.pid) || b.bears(s) {
			chosen[s.pid] = true
			members = append(members, s)
		}
	}
	return members
}

func (b *brood) bears(s stat) bool {
	if b.group != 0 && s.group == b.group {
		return true
	}
	if slices.Contains(arguments(s.pid), b.log) {
		return true
	}
	return b.id != "" && slices.ContainsFunc(cgroupsOf(s.pid), func(path string) bool { return names(path, b.id) })
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
