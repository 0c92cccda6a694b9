package launch

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// reapPatience bounds the wait for the end of what got SIGKILL.
const reapPatience = 2 * time.Second

// reapEntered ends and reaps what entered a container and lost its parent: the
// program of an exec probe whose nsenter was killed with it. It becomes our
// child, since nsenter itself is outside of the container's pid namespace. And
// as long as it is not reaped, be it a zombie, the init of that namespace cannot
// end (zap_pid_ns_processes in kernel/pid_namespace.c), nor the launch.
func reapEntered() {
	for _, pid := range enteredChildren() {
		process, err := runtime.Watch(pid)
		if err != nil {
			continue // reaped by another probe's reapEntered
		}
		_ = process.Signal(syscall.SIGKILL)
		select {
		case <-process.Exited():
			_ = process.Reap()
		case <-time.After(reapPatience): // left for reapOrphans
		}
		process.Close()
	}
}

// enteredChildren are our children in a pid namespace below ours that are not
// its init. All of /proc is looked through: the kernel's list of children may
// leave one out when another one goes (proc_tid_children(5)).
func enteredChildren() (pids []int) {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil // the pattern is none
	}
	parent := strconv.Itoa(os.Getpid())
	for _, name := range names {
		status, err := os.ReadFile(name + "/status")
		if err != nil || field(status, "PPid")[0] != parent {
			continue
		}
		ids := field(status, "NSpid") // its pid in each namespace from ours to its own
		if pid, err := strconv.Atoi(ids[0]); err == nil && len(ids) > 1 && ids[len(ids)-1] != "1" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// field returns the words of a line of /proc/PID/status, at least an empty one.
func field(status []byte, key string) []string {
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok && strings.TrimSpace(value) != "" {
			return strings.Fields(value)
		}
	}
	return []string{""}
}
