package systemd

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// Environment is what systemd tells a service through its environment.
type Environment struct {
	NotifySocket string        // NOTIFY_SOCKET; "": nobody listens
	Watchdog     time.Duration // a WATCHDOG=1 is due in each; 0: none is
	Journal      bool          // our stderr is a stream of journald, or was to be
	Service      bool          // we are the main process of a service
	User         bool          // a user manager started us, not the system's
	Unit         string        // of which we are a process; "": of none
}

// ReadEnvironment reads it from this process. Call it before the environment
// is cleared; NOTIFY_SOCKET must be set again then, since a Notifier reads it
// there. An error means a variable that is malformed; the rest is valid.
func ReadEnvironment() (Environment, error) {
	pid, _ := strconv.Atoi(os.Getenv("SYSTEMD_EXEC_PID")) // since systemd 248
	e := Environment{
		NotifySocket: os.Getenv("NOTIFY_SOCKET"),
		Service:      pid == os.Getpid(),
		User:         os.Getenv("MANAGERPID") != "",
	}
	if e.Service {
		cgroups, _ := os.ReadFile("/proc/self/cgroup")
		e.Unit = unitIn(string(cgroups))
	}
	var err error
	if e.Watchdog, err = daemon.SdWatchdogEnabled(false); err != nil {
		return e, fmt.Errorf("read watchdog interval: %w", err)
	}
	if e.Journal, err = journal.StderrIsJournalStream(); err != nil {
		return e, fmt.Errorf("compare stderr with the journal: %w", err)
	}
	if e.Service && !e.Journal {
		e.Journal = isNull(os.Stdout) && isNull(os.Stderr)
	}
	return e, nil
}

// unitIn finds the service in /proc/self/cgroup (cgroups(7)): of the hierarchy that
// systemd uses, and wherever below the unit's own cgroup we are.
func unitIn(cgroups string) string {
	for line := range strings.Lines(cgroups) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 || fields[1] != "" && fields[1] != "name=systemd" {
			continue
		}
		for _, name := range slices.Backward(strings.Split(fields[2], "/")) {
			if strings.HasSuffix(name, ".service") {
				return name
			}
		}
	}
	return ""
}

// isNull says whether file is /dev/null. A service whose stdout and stderr both are has
// got them in the place of streams that journald was not there to take (systemd.exec(5)
// knows no other way to that but StandardOutput=null): it may be there by the next
// record.
func isNull(file *os.File) bool {
	var is, null unix.Stat_t
	return unix.Fstat(int(file.Fd()), &is) == nil && unix.Stat(os.DevNull, &null) == nil &&
		is.Mode&unix.S_IFMT == unix.S_IFCHR && is.Rdev == null.Rdev
}
