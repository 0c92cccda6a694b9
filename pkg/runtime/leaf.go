package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// Leaf is the cgroup of one launch. A container may have made cgroups below it.
type Leaf struct {
	mount string
	path  string
}

// ID returns the name of the directory, which is the launch id.
func (l *Leaf) ID() string { return path.Base(l.path) }

// Path returns the path for linux.cgroupsPath: absolute, as seen below
// /sys/fs/cgroup.
func (l *Leaf) Path() string { return l.path }

// Dir returns the directory of the leaf.
func (l *Leaf) Dir() string { return filepath.Join(l.mount, l.path) }

// Procs returns the pids of the processes in the leaf and below; none when it
// is gone (or nil). Zombies are not among them.
func (l *Leaf) Procs() ([]int, error) {
	if l == nil {
		return nil, nil
	}
	var pids []int
	err := l.walk(func(dir string) error {
		data, err := readControl(dir, "cgroup.procs")
		pids = append(pids, numbers(strings.Fields(string(data)))...)
		if gone(err) || errors.Is(err, unix.EOPNOTSUPP) { // a threaded cgroup: its processes are listed above it
			return nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return pids, nil
}

// walk calls f for the leaf and each cgroup below, the deepest first.
func (l *Leaf) walk(f func(dir string) error) error { return walkUp(l.Dir(), f) }

func walkUp(dir string, f func(dir string) error) error {
	var entries []os.DirEntry
	err := opened(dir, "", func(path string) (err error) {
		entries, err = os.ReadDir(path)
		return err
	})
	if gone(err) {
		return nil
	}
	errs := []error{err}
	for _, entry := range entries {
		if entry.IsDir() {
			errs = append(errs, walkUp(filepath.Join(dir, entry.Name()), f))
		}
	}
	return errors.Join(append(errs, f(dir))...)
}

// gone says whether err tells of a cgroup that was removed: before it was
// opened, or since.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}

// MemoryEvents are what the kernel counted in the leaf and below.
type MemoryEvents struct {
	OOMKill int  // processes killed for want of memory
	Known   bool // false: the memory controller does not reach this cgroup
}

// Memory reads memory.events. Delete removes the leaf: read before. A leaf that
// is gone (or nil) tells nothing (Known is false).
func (l *Leaf) Memory() (MemoryEvents, error) {
	if l == nil {
		return MemoryEvents{}, nil
	}
	data, err := readControl(l.Dir(), "memory.events")
	if gone(err) {
		return MemoryEvents{}, nil
	}
	if err != nil {
		return MemoryEvents{}, fmt.Errorf("read memory events: %w", err)
	}
	kills, err := strconv.Atoi(lookUp(data, "oom_kill"))
	if err != nil {
		return MemoryEvents{}, fmt.Errorf("read memory events: %w", err)
	}
	return MemoryEvents{kills, true}, nil
}

// lookUp finds the value of key in a flat-keyed file of cgroup v2.
func lookUp(data []byte, key string) string {
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == key {
			return fields[1]
		}
	}
	return ""
}

// Remove removes the leaf and what is below it. Gone already: nil. Idempotent.
// Processes that are on their way out are waited for; ErrRunning: ctx ended
// first. It goes on after errors and names each directory that is left.
func (l *Leaf) Remove(ctx context.Context) error {
	err := l.remove()
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if waited := l.empty(ctx); waited != nil {
		return errors.Join(err, waited)
	}
	return l.remove()
}

func (l *Leaf) remove() error {
	err := l.walk(func(dir string) error {
		if err := unix.Rmdir(dir); err != nil && !gone(err) {
			return fmt.Errorf("%s: %w", dir, err)
		}
		step.Done("leaf-removed")
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	return nil
}
