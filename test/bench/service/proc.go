package service

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what some processes hold and have used.
type Usage struct {
	Processes []string // names
	PSS, RSS  uint64   // bytes
	Own       uint64   // bytes of RSS that are no file's, nor of a memfd
	CPU       time.Duration
	Switches  uint64 // voluntary: each is a wait that something ended
}

// Supervisor looks at all processes of the unit but the gateway.
func (u *Unit) Supervisor(ctx context.Context) (Usage, error) {
	pids, err := u.supervisor(ctx)
	if err != nil {
		return Usage{}, err
	}
	return u.sum(pids)
}

// All looks at all processes of the unit, those of every launch included.
func (u *Unit) All(ctx context.Context) (Usage, error) {
	cgroup, err := u.cgroup(ctx)
	if err != nil {
		return Usage{}, err
	}
	pids, err := processes(cgroup)
	if err != nil {
		return Usage{}, err
	}
	return u.sum(pids)
}

func (u *Unit) sum(pids []int) (sum Usage, err error) {
	for _, pid := range pids {
		if err := sum.Add(pid); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) { // gone since
			return sum, fmt.Errorf("look at process %d of %s: %w", pid, u.Name, err)
		}
	}
	return sum, nil
}

func (u *Unit) cgroup(ctx context.Context) (string, error) {
	path, err := Systemctl(ctx, "show", "--property=ControlGroup", "--value", u.Name)
	return "/sys/fs/cgroup" + strings.TrimSpace(path), err
}

// supervisor lists the processes of the unit but the gateway. They are in the
// unit's cgroup, and in the gateway's: podman moves itself and all it starts
// into a scope of its own where it does not own the unit's cgroup.
func (u *Unit) supervisor(ctx context.Context) ([]int, error) {
	unit, err := u.cgroup(ctx)
	if err != nil {
		return nil, err
	}
	gateway, err := gatewayPid(u.Address)
	if err != nil {
		return nil, err
	}
	of, err := fields(fmt.Sprintf("/proc/%d/cgroup", gateway))
	if err != nil {
		return nil, err
	}
	var pids []int
	// "0::/path" of cgroups(7), read as "0" and ":/path".
	for _, cgroup := range []string{unit, "/sys/fs/cgroup" + strings.TrimPrefix(of["0"], ":")} {
		found, err := processes(cgroup)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a unit whose processes have all left has none
		}
		if err != nil {
			return nil, err
		}
		pids = append(pids, found...)
	}
	pids = slices.DeleteFunc(pids, func(pid int) bool { return isGateway(pid, u.Address) })
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// processes lists all in a cgroup and beneath it.
func processes(cgroup string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(cgroup, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
		return err
	})
	return pids, err
}

// isGateway tells by the command line, the same in every column: podman and
// conmon name it too, but are themselves called otherwise.
func isGateway(pid int, address string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	args := strings.Split(string(line), "\x00")
	return err == nil && len(args) > 3 && args[1] == "example-gateway" && args[3] == address
}

// gatewayPid finds the gateway that listens on address, as the host sees it.
func gatewayPid(address string) (int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && isGateway(pid, address) {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("find the gateway on %s: no such process", address)
}

// Add adds a process.
func (u *Usage) Add(pid int) error {
	dir := fmt.Sprintf("/proc/%d", pid)
	status, err := fields(dir + "/status")
	if err != nil {
		return err
	}
	rollup, err := fields(dir + "/smaps_rollup")
	if errors.Is(err, fs.ErrPermission) { // not dumpable: at most all that it has
		rollup, err = map[string]string{"Pss": status["VmRSS"]}, nil
	}
	if err != nil {
		return err
	}
	u.Processes = append(u.Processes, status["Name"])
	u.RSS += kilobytes(status["VmRSS"])
	u.Own += kilobytes(status["RssAnon"])
	u.PSS += kilobytes(rollup["Pss"])
	tasks, err := filepath.Glob(dir + "/task/*")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		if err := u.addThread(task); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err // a thread that has just ended is none
		}
	}
	return nil
}

// addThread reads the time on a processor from schedstat, which counts
// nanoseconds; stat counts ticks of ten milliseconds, longer than an idle second.
func (u *Usage) addThread(dir string) error {
	text, err := os.ReadFile(dir + "/schedstat")
	if err != nil {
		return err
	}
	first, _, _ := bytes.Cut(text, []byte(" "))
	ran, err := strconv.ParseInt(string(first), 10, 64)
	if err != nil {
		return err
	}
	status, err := fields(dir + "/status")
	if err != nil {
		return err
	}
	switches, err := strconv.ParseUint(status["voluntary_ctxt_switches"], 10, 64)
	if err != nil {
		return err
	}
	u.CPU += time.Duration(ran)
	u.Switches += switches
	return nil
}

// fields reads a file of "Name: value" lines.
func fields(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	values := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok {
			values[name] = strings.TrimSpace(value)
		}
	}
	return values, lines.Err()
}

func kilobytes(value string) uint64 {
	n, err := strconv.ParseUint(strings.TrimSuffix(value, " kB"), 10, 64)
	if err != nil {
		return 0 // a kernel thread or a zombie has no memory
	}
	return n << 10
}
