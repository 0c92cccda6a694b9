package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// becomeVariable makes the test binary be the program that starts itself again.
const becomeVariable = "GATEWAYD_TEST_BECOME"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(becomeVariable) == "":
		goleak.VerifyTestMain(m)
	case InScope(os.Getenv):
		fmt.Println(strings.Join(os.Args[1:], " "), os.Getpid(), ownLeaf())
	default:
		self, _ := os.Executable()
		fmt.Println(os.Getpid(), StartScope(self, []string{"again", "$HOME", "a b"}, os.Environ()))
		os.Exit(1)
	}
}

// ownLeaf makes and removes a cgroup beneath ours, which only a delegated one
// allows, and returns its path or why not.
func ownLeaf() string {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err.Error()
	}
	_, path, _ := strings.Cut(string(b), "0::")
	path, _, _ = strings.Cut(path, "\n")
	leaf := filepath.Join("/sys/fs/cgroup", path, "leaf")
	if err := os.Mkdir(leaf, 0o755); err != nil {
		return err.Error()
	}
	if err := os.Remove(leaf); err != nil {
		return err.Error()
	}
	return leaf
}

func TestRealScope(t *testing.T) {
	testenv.NeedUserManager(t)
	for name, environ := range map[string][]string{
		"session":          {"XDG_RUNTIME_DIR=" + os.Getenv("XDG_RUNTIME_DIR"), "DBUS_SESSION_BUS_ADDRESS=" + os.Getenv("DBUS_SESSION_BUS_ADDRESS")},
		"su without -l":    {},
		"blank, as by ssh": {"XDG_RUNTIME_DIR=", "DBUS_SESSION_BUS_ADDRESS="},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = slices.Concat(environ, []string{becomeVariable + "=1", "PATH=/usr/bin:/bin"})
		out, err := cmd.CombinedOutput()
		words := strings.Fields(string(out))
		if err != nil || len(words) != 6 || strings.Join(words[:4], " ") != "again $HOME a b" || words[4] != fmt.Sprint(cmd.Process.Pid) || !strings.HasSuffix(words[5], ".scope/leaf") {
			t.Errorf("%s: pid %d: %v: %s", name, cmd.Process.Pid, err, out)
		}
	}
}
