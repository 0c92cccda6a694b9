package runtime

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// disposition is what /proc/PID/status tells of how a process takes signals.
type disposition struct {
	nested  bool   // in a pid namespace below ours
	init    bool   // PID 1 of that
	caught  uint64 // SigCgt: bit n-1 is signal n
	ignored uint64 // SigIgn
}

// drops says whether the kernel would drop sig although its default action is
// to end the process.
func (d disposition) drops(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGURG, syscall.SIGWINCH:
		return false // ignored by default: it would have ended nobody
	}
	bit := uint64(1) << (sig - 1)
	return d.init && (d.caught|d.ignored)&bit == 0
}

func readDisposition(pid int) (disposition, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return disposition{}, err
	}
	return parseDisposition(pid, data)
}

func parseDisposition(pid int, data []byte) (d disposition, err error) {
	found := 0
	for line := range strings.Lines(string(data)) { // that of the groups may be longer than a Scanner takes
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		found++
		switch key {
		case "NSpid": // its pid in each namespace from ours to its own
			pids := strings.Fields(value)
			d.nested = len(pids) > 1
			d.init = d.nested && pids[len(pids)-1] == "1"
		case "SigCgt":
			d.caught, err = strconv.ParseUint(value, 16, 64)
		case "SigIgn":
			d.ignored, err = strconv.ParseUint(value, 16, 64)
		default:
			found--
		}
		if err != nil {
			return disposition{}, fmt.Errorf("read status of %d: %w", pid, err)
		}
	}
	if found != 3 {
		return disposition{}, fmt.Errorf("read status of %d: of NSpid, SigCgt and SigIgn %d are there", pid, found)
	}
	return d, nil
}
