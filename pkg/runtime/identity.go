package runtime

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Identity names a process for longer than a pid does: over a restart of the
// daemon and of the machine. It can be written to a file as it is.
type Identity struct {
	Pid   int    `json:"pid"`
	Start uint64 `json:"start"` // field 22 of /proc/PID/stat: ticks since boot
	Boot  string `json:"boot"`  // /proc/sys/kernel/random/boot_id
}

// Identify returns the identity of the process that has pid now. The error is
// an fs.ErrNotExist when there is none.
func Identify(pid int) (Identity, error) {
	s, err := readStat(pid)
	if err != nil {
		return Identity{}, fmt.Errorf("identify %d: %w", pid, err)
	}
	boot, err := bootID()
	if err != nil {
		return Identity{}, fmt.Errorf("identify %d: %w", pid, err)
	}
	return Identity{pid, s.start, boot}, nil
}

func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}

// Alive says whether this very process still runs. A zombie does not.
func (i Identity) Alive() bool {
	boot, err := bootID()
	if err != nil || boot != i.Boot {
		return false
	}
	s, err := readStat(i.Pid)
	return err == nil && s.start == i.Start && !s.dead()
}

// Kill ends this very process, and never another one that has got its pid, and
// waits for its end. Gone already: nil. ErrRunning: ctx ended first. Another
// user's process is an error (EPERM).
func (i Identity) Kill(ctx context.Context) error {
	fd, err := openPidfd(i.Pid)
	if err != nil {
		if i.Alive() {
			return fmt.Errorf("kill %d: %w", i.Pid, err)
		}
		return nil
	}
	defer fd.Close()
	if !i.Alive() { // asked after the descriptor was opened: it is this process, or was
		return nil
	}
	if err := fd.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %d: %w", i.Pid, err)
	}
	if err := fd.wait(ctx); err != nil {
		return fmt.Errorf("kill %d: %w: %w", i.Pid, ErrRunning, err)
	}
	return nil
}

// ProcessesNaming returns the live processes of a gatewayd, other than this
// one, whose command line names the launch id: runtime calls and what they
// forked (the container's init before its program starts, which no record
// names yet), and hooks and other sub-commands of this same program. Also those in
// a cgroup that is called by the id: that of the launch, or one that the runtime
// makes on its own where it is given none. The waiting init of runc does not have
// the id in its command line.
//
// A shell, pager or editor in which an operator has typed the id is none of
// them, as its program is another. Only what runs as this user is returned; for
// root, everybody's.
func ProcessesNaming(id string) ([]Identity, error) {
	pids, err := allPids()
	if err != nil {
		return nil, fmt.Errorf("find processes naming %s: %w", id, err)
	}
	var found []Identity
	for _, pid := range pids {
		if pid == os.Getpid() || !mayEnd(pid) || !ours(pid, arguments(pid), id) && !inCgroupOf(pid, id) {
			continue
		}
		if i, err := Identify(pid); err == nil && i.Alive() {
			found = append(found, i)
		}
	}
	return found, nil
}

func ours(pid int, args []string, id string) bool {
	if !slices.ContainsFunc(args, func(arg string) bool { return names(arg, id) }) {
		return false
	}
	return strings.HasPrefix(args[0], sealedPrefix) || sameProgram(pid)
}

// inCgroupOf says whether pid is in a cgroup that is called by the launch id, or
// below. youki prefixes the name.
func inCgroupOf(pid int, id string) bool {
	return slices.ContainsFunc(cgroupsOf(pid), func(path string) bool { return names(path, id) })
}

// names says whether arg holds id as a whole word, so that web-1-ab is not
// found in web-1-abc.
func names(arg, id string) bool {
	for from := 0; id != ""; from++ {
		at := strings.Index(arg[from:], id)
		if at < 0 {
			return false
		}
		from += at
		if !endsInWord(arg[:from]) && !beginsWithWord(arg[from+len(id):]) {
			return true
		}
	}
	return false
}

func beginsWithWord(s string) bool { return s != "" && wordByte(s[0]) }
func endsInWord(s string) bool     { return s != "" && wordByte(s[len(s)-1]) }

func wordByte(b byte) bool {
	return b == '-' || b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// mayEnd asks the kernel instead of comparing user ids: the init of a rootless
// container runs as a mapped id.
func mayEnd(pid int) bool { return syscall.Kill(pid, 0) == nil }

func sameProgram(pid int) bool {
	theirs, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return false
	}
	own, err := os.Stat("/proc/self/exe")
	return err == nil && os.SameFile(own, theirs)
}
