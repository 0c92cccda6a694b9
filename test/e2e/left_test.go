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
	mounts     []string
}

func (i *instance) traces() traces {
	i.t.Helper()
	found := traces{
		launches: names(filepath.Join(i.run, "launches")), containers: names(filepath.Join(i.run, "runtime")),
		rootfs: names(filepath.Join(i.state, "rootfs")),
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
		"staged trees": found.rootfs, "runtime states": found.containers, "mounts": found.mounts,
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

// processes are all that are in the unit's cgroup, or that name the instance's
// directories.
func (i *instance) processes() (daemons, others []string) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cgroup, _ := os.ReadFile("/proc/" + entry.Name() + "/cgroup")
		command, _ := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		words := strings.ReplaceAll(string(command), "\x00", " ")
		line := fmt.Sprintf("%d %s(%s)", pid, words, strings.TrimSpace(string(cgroup)))
		switch {
		case strings.HasPrefix(words, programs.gatewayd+" run") && strings.Contains(string(cgroup), i.unit+"/supervisor"):
			daemons = append(daemons, line)
		case strings.Contains(string(cgroup), "/"+i.unit), strings.Contains(words, i.run+"/"), strings.Contains(words, i.dir+"/"):
			others = append(others, line)
		}
	}
	return daemons, others
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
