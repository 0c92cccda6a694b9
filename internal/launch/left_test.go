package launch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nothingLeft fails for whatever is left of a launch: process, file, cgroup.
func (b *bench) nothingLeft(t *testing.T) {
	t.Helper()
	b.noFiles(t)
	b.noLeaf(t)
	noProcess(t)
}

func (b *bench) noFiles(t *testing.T) {
	t.Helper()
	for _, dir := range []string{b.Dirs.Launches(), b.Dirs.Secrets(), b.Dirs.Rootfs(), b.Dirs.RuntimeRoot()} {
		entries, err := os.ReadDir(dir)
		must(t, err)
		for _, entry := range entries {
			if entry.Name() != ".cache" { // of crun, for all containers
				t.Errorf("left: %s/%s", dir, entry.Name())
			}
		}
	}
}

// noLeaf fails for cgroups of launches, also those that a runtime has made on
// its own where version 1 is mounted.
func (b *bench) noLeaf(t *testing.T) {
	t.Helper()
	must(t, filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(d.Name(), gatewayName+"-") {
			t.Errorf("cgroup is left: %s", path)
		}
		return nil
	}))
}

// noProcess fails for any process below this one, and takes it away so that the
// next test begins clean. Zombies count.
func noProcess(t *testing.T) {
	t.Helper()
	for _, p := range descendants() {
		t.Errorf("process is left: %+v %q", p, commandLine(p.pid))
		end(p.pid)
	}
}

// end kills and reaps a child, or one that becomes ours with its parent's end.
func end(pid int) {
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for {
		_, err := syscall.Wait4(pid, nil, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// reapAll takes away the zombies that became ours when their parent was killed.
func reapAll() {
	for _, p := range descendants() {
		if p.state == "Z" {
			end(p.pid)
		}
	}
}

// alive are the processes below this one that are no zombies.
func alive() (pids []int) {
	for _, p := range descendants() {
		if p.state != "Z" {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

type process struct {
	pid, parent int
	state       string
}

// descendants are the processes below this one, parents first.
func descendants() []process {
	below := make(map[int][]process)
	for _, p := range processes() {
		below[p.parent] = append(below[p.parent], p)
	}
	list := slices.Clone(below[os.Getpid()])
	for i := 0; i < len(list); i++ {
		list = append(list, below[list[i].pid]...)
	}
	return list
}

func processes() (all []process) {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		all = append(all, process{pid, parent, fields[0]})
	}
	return all
}

func commandLine(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(bytes.ReplaceAll(data, []byte{0}, []byte{' '}))
}

// status is a line of /proc/PID/status.
func status(t *testing.T, pid int, key string) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no %s in /proc/%d/status", key, pid)
	return ""
}

// descriptors are what this process has open.
func descriptors(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	var open []string
	for _, entry := range entries {
		target := make([]byte, 200)
		if n, err := unix.Readlink("/proc/self/fd/"+entry.Name(), target); err == nil {
			open = append(open, entry.Name()+" "+string(target[:n]))
		}
	}
	return open
}
