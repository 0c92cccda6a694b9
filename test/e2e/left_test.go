package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// traces is what the kernel and the file system hold of an instance.
type traces struct {
	daemons    []string // processes in the unit's cgroup, but not in a leaf
	processes  []string // all others of the instance
	leaves     []string // cgroups of launches
	launches   []string // directories of launches
	rootfs     []string // staged trees
	containers []string // states of the runtime
	secrets    []string // directories of launches
	mounts     []string
}

func (i *instance) traces() traces {
	i.t.Helper()
	found := traces{
		launches: names(filepath.Join(i.run, "launches")), containers: names(filepath.Join(i.run, "runtime")),
		rootfs: names(filepath.Join(i.state, "rootfs")), secrets: names(filepath.Join(i.run, "secrets")),
		leaves: i.leaves(), mounts: mountsBelow(i.t, i.run, i.state),
	}
	found.daemons, found.processes = i.processes()
	return found
}

// nothing returns an error unless every trace is gone.
func (i *instance) nothing() error {
	found := i.traces()
	for what, list := range map[string][]string{
		"daemons": found.daemons, "processes": found.processes, "cgroup leaves": found.leaves, "launch directories": found.launches,
		"staged trees": found.rootfs, "runtime states": found.containers, "secrets": found.secrets, "mounts": found.mounts,
	} {
		if len(list) > 0 {
			return fmt.Errorf("%s are left: %v", what, list)
		}
	}
	return nil
}

func (i *instance) mustBeNothing() {
	i.t.Helper()
	if err := i.nothing(); err != nil {
		i.t.Error(err)
	}
	if _, err := os.Stat(i.run); err == nil {
		i.t.Errorf("the runtime directory is left")
	}
}

// exactly returns an error unless there is one of everything for each of n
// gateways, and all of it belongs to the launches that run now.
func (i *instance) exactly(n int) error {
	states, err := i.states()
	if err != nil {
		return err
	}
	ids := make(map[string]bool)
	for _, s := range states {
		if s.Phase == "ready" {
			ids[s.ID] = true
		}
	}
	if len(ids) != n {
		return fmt.Errorf("%d gateways are ready, not %d: %+v", len(ids), n, states)
	}
	found := i.traces()
	for what, list := range map[string][]string{
		"cgroup leaves": found.leaves, "launch directories": found.launches, "staged trees": found.rootfs, "runtime states": found.containers,
	} {
		if len(list) != n {
			return fmt.Errorf("%d %s, not %d: %v", len(list), what, n, list)
		}
		for _, name := range list {
			if !ids[name] {
				return fmt.Errorf("%s: %s is of no running launch", what, name)
			}
		}
	}
	if len(found.daemons) != 1 {
		return fmt.Errorf("%d gatewayds: %v", len(found.daemons), found.daemons)
	}
	return nil
}

// cgroups are the directories of the unit's cgroup, wherever it is.
func (i *instance) cgroups() (dirs []string) {
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == i.unit {
			dirs = append(dirs, path)
			return filepath.SkipDir
		}
		return nil // a cgroup that went away meanwhile is nobody's
	})
	return dirs
}

func (i *instance) leaves() (leaves []string) {
	for _, dir := range i.cgroups() {
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			if entry.IsDir() && entry.Name() != "supervisor" && entry.Name() != ".control" {
				leaves = append(leaves, entry.Name())
			}
		}
	}
	return leaves
}

// process is one of an instance's.
type process struct {
	pid                 int
	name, words, cgroup string
}

func (p process) String() string {
	if p.words == "" { // a zombie, or the kernel's
		return fmt.Sprintf("%d [%s] (%s)", p.pid, p.name, p.cgroup)
	}
	return fmt.Sprintf("%d %s(%s)", p.pid, p.words, p.cgroup)
}

// processes are all that are in the unit's cgroup, or that name the instance's
// directories.
func (i *instance) processes() (daemons, others []string) {
	for _, p := range i.all() {
		if i.isDaemon(p) {
			daemons = append(daemons, p.String())
		} else {
			others = append(others, p.String())
		}
	}
	return daemons, others
}

func (i *instance) isDaemon(p process) bool {
	return strings.HasPrefix(p.words, programs.gatewayd+" run") && strings.Contains(p.cgroup, i.unit+"/supervisor")
}

// leafOf is the name of the leaf that a process is in.
func (i *instance) leafOf(p process) string {
	_, below, _ := strings.Cut(p.cgroup, "/"+i.unit+"/")
	leaf, _, _ := strings.Cut(below, "/")
	return leaf
}

// all are the instance's processes.
func (i *instance) all() (list []process) {
	for _, name := range names("/proc") {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		cgroup, _ := os.ReadFile("/proc/" + name + "/cgroup")
		command, _ := os.ReadFile("/proc/" + name + "/cmdline")
		comm, _ := os.ReadFile("/proc/" + name + "/comm")
		p := process{pid, strings.TrimSpace(string(comm)), strings.ReplaceAll(string(command), "\x00", " "), strings.TrimSpace(string(cgroup))}
		if strings.Contains(p.cgroup, "/"+i.unit) || strings.Contains(p.words, i.run+"/") || strings.Contains(p.words, i.dir+"/") {
			list = append(list, p)
		}
	}
	return list
}

func names(dir string) (list []string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

// mountsBelow lists the mounts in this mount namespace beneath some directories.
func mountsBelow(t testing.TB, dirs ...string) (found []string) {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		for _, dir := range dirs {
			if target := strings.Fields(line)[4]; strings.HasPrefix(target, dir) {
				found = append(found, target)
			}
		}
	}
	return found
}
