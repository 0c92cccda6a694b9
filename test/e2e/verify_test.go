package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Before a gateway is ready the kernel was asked how it is isolated, and verify asks
// again: also another image of gatewayd knows what was promised. What differs is said
// and not acted on.
func TestVerify(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "verify")
	i.configure(serving + "[gateway.plain]\nrootfs = \"$ROOTFS\"\ncommand = [\"/gateway\"]\nisolation.bare = true\n")
	i.mustStart()
	s := i.awaitReady("web")
	if s.VerifiedAt.IsZero() || len(s.Differs) > 0 {
		t.Errorf("ready, and %+v", s)
	}
	i.awaitRecord("the posture", func(r record) bool { return strings.Contains(r.message(), "net=host") }, "EVENT=posture", "GATEWAY=web")
	if out := i.must("verify", "web"); !strings.Contains(out, "no_new_privs") || strings.Contains(out, "!") {
		t.Errorf("verify says\n%s", out)
	}
	i.must("reexec")
	if again := i.awaitReady("web"); !again.VerifiedAt.After(s.VerifiedAt) || again.Pid != s.Pid {
		t.Errorf("after verify and reexec it is %+v, was %+v", again, s)
	}
	i.must("verify", "web")

	leaf := leafOf(t, s.Pid)
	elsewhere := filepath.Join(filepath.Dir(leaf), "elsewhere")
	must(t, os.Mkdir(elsewhere, 0o755))
	moveTo(t, s.Pid, elsewhere)
	out, said, code := i.gatewayd("verify", "web")
	if code != 1 || !strings.Contains(out, "!  cgroup") || !strings.Contains(said, "not isolated as promised: 1 of") {
		t.Errorf("verify exits with %d and says %q and\n%s", code, said, out)
	}
	if s := i.awaitReady("web"); len(s.Differs) != 1 || !s.VerifiedAt.IsZero() {
		t.Errorf("it is %+v", s)
	}
	moveTo(t, s.Pid, leaf)
	must(t, os.Remove(elsewhere))
	i.must("verify", "web")
	if s := i.awaitReady("web"); len(s.Differs) > 0 || s.VerifiedAt.IsZero() {
		t.Errorf("it is %+v", s)
	}

	for name, want := range map[string]string{"plain": "without a container", "none": "no gateway is called"} {
		if _, said, code := i.gatewayd("verify", name); code != 1 || !strings.Contains(said, want) {
			t.Errorf("verify %s exits with %d and says %q", name, code, said)
		}
	}
	i.mustStop()
	i.mustBeNothing()
}

func leafOf(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	must(t, err)
	_, path, _ := strings.Cut("\n"+string(data), "\n0::")
	path, _, _ = strings.Cut(path, "\n")
	return filepath.Join("/sys/fs/cgroup", path)
}

func moveTo(t *testing.T, pid int, leaf string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0))
}
