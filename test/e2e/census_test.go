package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// census is how many there are of each kind of thing that an instance has of the
// kernel, the file systems and systemd, all of which a launch has to give back.
type census map[string]int

func (i *instance) census() (census, error) {
	c, pid := make(census), i.mainPid()
	c["stored in systemd"], _ = strconv.Atoi(i.property("NFileDescriptorStore"))
	c.cgroups(i)
	c.files("runtime", i.runtime)
	c.files("state", i.state)
	return c, errors.Join(c.descriptors(pid), c.sockets(pid), c.mounts(pid), c.mounts(os.Getpid()))
}

// descriptors are counted by what they are of: sockets, pidfds, /proc/PID/….
func (c census) descriptors(pid int) error {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join(dir, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // closed meanwhile
		}
		if kind, _, found := strings.Cut(target, ":["); found && !strings.HasPrefix(target, "anon_inode") {
			target = kind
		}
		c["descriptor of "+anyLaunch(target)]++
	}
	return err
}

// sockets are those of gatewayd, as sock_diag(7) knows them: by family and state.
func (c census) sockets(pid int) error {
	out, err := exec.Command("ss", "-H", "-O", "-a", "-n", "-p", "--tcp", "--udp", "--unix").Output()
	if err != nil {
		return fmt.Errorf("ss: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, fmt.Sprintf(",pid=%d,", pid)) {
			c["socket "+strings.Join(strings.Fields(line)[:2], " ")]++
		}
	}
	return nil
}

// mounts are those of a process's mount namespace.
func (c census) mounts(pid int) error {
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	who := "gatewayd's mounts"
	if pid == os.Getpid() {
		who = "the user's mounts"
	}
	c[who] = bytes.Count(table, []byte("\n"))
	return err
}

// cgroups are those below the unit's, and the processes in all of them.
func (c census) cgroups(i *instance) {
	for _, top := range i.cgroups() {
		_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil: // gone meanwhile
			case entry.IsDir():
				c["cgroup "+anyLaunch(strings.TrimPrefix(path, top))]++
			case entry.Name() == "cgroup.procs":
				procs, _ := os.ReadFile(path)
				c["process in "+anyLaunch(filepath.Dir(strings.TrimPrefix(path, top)))] += bytes.Count(procs, []byte("\n"))
			}
			return nil
		})
	}
}

func (c census) files(what, top string) {
	_ = filepath.WalkDir(top, func(path string, _ fs.DirEntry, _ error) error {
		c[what+" file "+anyLaunch(strings.TrimPrefix(path, top))]++
		return nil // what may not be read, such as the work directory of an overlay, was counted
	})
}

// inLaunch finds the ids of launches, numbers of processes, and sums of trees.
var inLaunch = regexp.MustCompile(`-[0-9]+-[0-9a-z]{6,}|/proc/[0-9]+|[0-9a-f]{16,}`)

func anyLaunch(path string) string {
	return inLaunch.ReplaceAllStringFunc(path, func(found string) string {
		if strings.HasPrefix(found, "/proc/") {
			return "/proc/*"
		}
		return "-*"
	})
}

// as returns an error that names what is more or less than before.
func (c census) as(before census) error {
	var faults []error
	for _, what := range slices.Sorted(maps.Keys(merged(c, before))) {
		if c[what] != before[what] {
			faults = append(faults, fmt.Errorf("%s: %d, were %d", what, c[what], before[what]))
		}
	}
	return errors.Join(faults...)
}

func merged(a, b census) census {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// sum is of all kinds that begin so.
func (c census) sum(kinds ...string) (n int) {
	for what, count := range c {
		if slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(what, kind) }) {
			n += count
		}
	}
	return n
}

// memory is what gatewayd has resident, its threads and its goroutines, which are
// not as before to the last one: see TestLaunchesLeaveNothing.
type memory struct{ pss, rss, threads, goroutines int } // in KiB

func (i *instance) memory() (m memory) {
	i.t.Helper()
	for file, fields := range map[string]map[string]*int{
		"smaps_rollup": {"Pss:": &m.pss, "Rss:": &m.rss}, "status": {"Threads:": &m.threads},
	} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", i.mainPid(), file))
		if err != nil {
			i.t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if words := strings.Fields(line); len(words) > 1 && fields[words[0]] != nil {
				*fields[words[0]], _ = strconv.Atoi(words[1])
			}
		}
	}
	_, count, _ := strings.Cut(i.must("metrics"), "\ngo_goroutines ")
	count, _, _ = strings.Cut(count, "\n")
	if m.goroutines, _ = strconv.Atoi(count); m.goroutines == 0 {
		i.t.Fatalf("metrics tell of %q goroutines", count)
	}
	return m
}
