package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// unifiedMount is where systemd mounts the one hierarchy of cgroup v2.
const unifiedMount = "/sys/fs/cgroup"

// Sub-cgroups of the unit that are not containers: ours (Enter), and the one in
// which systemd runs the unit's control processes (ExecStopPost= and the like).
const (
	supervisorGroup = "supervisor"
	controlGroup    = ".control"
)

// NoCgroupError says why there is no cgroup to make leaves in. Containers then
// run without: what a container forked is killed with its pid namespace.
type NoCgroupError struct {
	Why string
	Err error // of the kernel; nil: it has answered
}

func (e *NoCgroupError) Error() string { return "no delegated cgroup: " + e.Why }
func (e *NoCgroupError) Unwrap() error { return e.Err }

// Cgroup is a cgroup v2 directory that was given to this program: that of its
// unit or scope with Delegate=yes.
type Cgroup struct {
	mount string // where the hierarchy is mounted
	path  string // absolute, as seen below mount
}

// Delegated returns the cgroup of the unit in which this process runs; started
// in the unit's sub-cgroup "supervisor" or ".control", that is the parent. Any
// error is a *NoCgroupError.
func Delegated() (*Cgroup, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(unifiedMount, &fs); err != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil, &NoCgroupError{"this machine does not have cgroup v2 alone at " + unifiedMount, err}
	}
	own, err := ownPath()
	if err != nil {
		return nil, &NoCgroupError{err.Error(), err}
	}
	c := &Cgroup{mount: unifiedMount, path: unitOf(own)}
	if err := c.usable(); err != nil {
		return nil, &NoCgroupError{err.Error(), err}
	}
	return c, nil
}

// ownPath reads the line "0::PATH" of cgroup v2 (cgroups(7)).
func ownPath() (string, error) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if own, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			if slices.Contains(strings.Split(own, "/"), "..") {
				return "", fmt.Errorf("%s is outside of the cgroup namespace", own)
			}
			return own, nil
		}
	}
	return "", errors.New("/proc/self/cgroup has no line of cgroup v2")
}

func unitOf(own string) string {
	if base := path.Base(own); base == supervisorGroup || base == controlGroup {
		return path.Dir(own)
	}
	return own
}

// usable wants a cgroup that we can write and that its maker has given away.
// Root can write everywhere, so for root the mark counts that systemd sets on
// what it delegates. A user can write only below the own user manager; whether
// that has delegated the unit cannot be read there (systemd 252 marks nothing
// for a user), so the caller must know how it was started.
func (c *Cgroup) usable() error {
	for _, file := range []string{c.dir(), filepath.Join(c.dir(), "cgroup.procs")} {
		if err := unix.Access(file, unix.W_OK); err != nil {
			return fmt.Errorf("%s is not ours to write (%w): run in a unit or scope with Delegate=yes", file, err)
		}
	}
	if _, err := os.Stat("/run/systemd/system"); errors.Is(err, fs.ErrNotExist) || os.Geteuid() != 0 {
		return nil // without systemd, whoever runs this machine has made it writable
	}
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(c.dir(), name, value); err == nil && string(value[:n]) == "1" {
			return nil
		}
	}
	return fmt.Errorf("systemd has not delegated %s: run in a unit or scope with Delegate=yes", c.path)
}

func (c *Cgroup) dir() string { return filepath.Join(c.mount, c.path) }

// Path returns the cgroup's absolute path as seen below /sys/fs/cgroup.
func (c *Cgroup) Path() string { return c.path }

// Enter moves this process with all its threads into the sub-cgroup name,
// "supervisor", which it makes: a cgroup that hands controllers down may hold no
// processes itself. It takes 8 to 10 ms (see Hasten). Idempotent.
func (c *Cgroup) Enter(name string) error {
	dir := filepath.Join(c.dir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("enter cgroup: %w", err)
	}
	step.Done("cgroup-made")
	if err := writeControl(filepath.Join(dir, "cgroup.procs"), "0"); err != nil { // 0: the writer
		return fmt.Errorf("enter cgroup: %w", err)
	}
	step.Done("cgroup-entered")
	return nil
}

// HandDown hands the memory controller down, where that can be had, so that
// leaves tell of OOM kills; Leaf.Memory says whether they do. It comes after
// Enter, and when nothing that was started before is left in the cgroup itself.
func (c *Cgroup) HandDown() {
	_ = writeControl(filepath.Join(c.dir(), "cgroup.subtree_control"), "+memory")
	step.Done("cgroup-handed-down")
}

// Hasten makes the move into a leaf quick that a runtime is about to make. Call
// it beside Create, not before: it takes as long as it saves.
//
// A write to cgroup.procs takes the kernel's cgroup_threadgroup_rwsem for
// writing, and the first such writer waits for an RCU grace period, 8 to 10 ms;
// who follows within another one does not (kernel/rcu/sync.c). So we are that
// first writer, with a move of ourselves to where we are, while the runtime is
// still busy with namespaces. It is no error when that cannot be.
func (c *Cgroup) Hasten() {
	_ = writeControl(filepath.Join(c.dir(), supervisorGroup, "cgroup.procs"), "0")
	step.Done("cgroup-hastened")
}

// Leaf makes the cgroup of one launch. A directory that exists is an error
// (fs.ErrExist): it may hold processes of another launch.
func (c *Cgroup) Leaf(id string) (*Leaf, error) {
	if err := checkID(id); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	leaf := c.leaf(id)
	if err := os.Mkdir(leaf.Dir(), 0o755); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	step.Done("leaf-made")
	return leaf, nil
}

// Leaves returns all sub-cgroups that are neither ours nor systemd's: those of
// the launches that live, and what an earlier daemon left.
func (c *Cgroup) Leaves() ([]*Leaf, error) {
	entries, err := os.ReadDir(c.dir())
	if err != nil {
		return nil, fmt.Errorf("list cgroups: %w", err)
	}
	var leaves []*Leaf
	for _, entry := range entries {
		if name := entry.Name(); entry.IsDir() && name != supervisorGroup && name != controlGroup {
			leaves = append(leaves, c.leaf(name))
		}
	}
	return leaves, nil
}

func (c *Cgroup) leaf(id string) *Leaf {
	return &Leaf{mount: c.mount, path: path.Join(c.path, id)}
}

// writeControl writes one of the kernel's files, which must exist already.
func writeControl(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
