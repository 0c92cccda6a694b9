package systemd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// scopeVariable marks a process that StartScope has started, so that one whose
// scope turns out to be of no use does not start itself for ever.
const scopeVariable = "GATEWAYD_SCOPE"

// InScope reports whether StartScope started this process.
func InScope(getenv func(string) string) bool { return getenv(scopeVariable) != "" }

// StartScope replaces this process by `self args…` in a scope of its own whose
// cgroup is delegated to us: systemd-run registers the scope and executes the
// command in place, so the process id, the terminal and the directory stay.
// As root it is a scope of the system manager, else of the user's.
//
// It returns only where that cannot be, with one sentence why not.
func StartScope(self string, args, environ []string) error {
	s := scope{uid: os.Getuid(), run: "/run", environ: environ}
	if err := s.prepare(); err != nil {
		return fmt.Errorf("start a delegated scope: %w", err)
	}
	program, err := findProgram("systemd-run", "/usr/bin", "/bin")
	if err != nil {
		return fmt.Errorf("start a delegated scope: %w", err)
	}
	err = unix.Exec(program, s.argv(self, args), s.environ)
	return fmt.Errorf("start a delegated scope: %w", os.NewSyscallError("exec "+program, err))
}

// scope is a scope in the making.
type scope struct {
	uid     int
	run     string // "/run"
	environ []string
}

// prepare checks that a manager is there, and completes the environment that
// systemd-run finds it by.
func (s *scope) prepare() error {
	if InScope(s.getenv) {
		return errors.New("this is one already, and its cgroup is not ours to use")
	}
	if s.uid == 0 {
		if _, err := os.Stat(filepath.Join(s.run, "systemd/private")); err != nil {
			return errors.New("systemd does not run on this machine")
		}
	} else if err := s.prepareUser(); err != nil {
		return err
	}
	s.setenv(scopeVariable, "1")
	return nil
}

// prepareUser finds the user manager. A shell by su has no XDG_RUNTIME_DIR;
// the manager of a lingering user is there all the same.
func (s *scope) prepareUser() error {
	dir := s.getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join(s.run, "user", strconv.Itoa(s.uid))
		s.setenv("XDG_RUNTIME_DIR", dir)
	}
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return fmt.Errorf("%s is missing: log in on the machine itself or by ssh, or enable lingering (loginctl enable-linger)", dir)
	}
	if int(stat.Uid) != s.uid {
		return fmt.Errorf("%s belongs to uid %d, not to us: XDG_RUNTIME_DIR is another user's", dir, stat.Uid)
	}
	if _, err := os.Stat(filepath.Join(dir, "systemd/private")); err != nil {
		return fmt.Errorf("no systemd user manager runs for uid %d: start user@%d.service, or enable lingering (loginctl enable-linger)", s.uid, s.uid)
	}
	if s.getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return nil
	}
	bus := filepath.Join(dir, "bus")
	if _, err := os.Stat(bus); err != nil {
		return fmt.Errorf("%s is missing: install dbus-user-session", bus)
	}
	s.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+bus)
	return nil
}

func (s *scope) argv(self string, args []string) []string {
	argv := []string{"systemd-run", "--quiet", "--scope", "--collect", "-p", "Delegate=yes"}
	if s.uid != 0 {
		argv = append(argv, "--user")
	}
	return append(append(argv, "--", self), args...)
}

func (s *scope) getenv(name string) string {
	for _, e := range s.environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// setenv replaces a variable that may be there and blank: of two, programs
// read the first. The caller's slice stays as it is.
func (s *scope) setenv(name, value string) {
	s.environ = slices.DeleteFunc(slices.Clone(s.environ), func(e string) bool { return strings.HasPrefix(e, name+"=") })
	s.environ = append(s.environ, name+"="+value)
}

// findProgram looks in fixed places: the PATH is not ours to trust.
func findProgram(name string, dirs ...string) (string, error) {
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not in %s", name, strings.Join(dirs, " or "))
}
