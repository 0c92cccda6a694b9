package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// ranged is a server that becomes a user of its own, by either stage.
const ranged = `
[gateway.web]
rootfs = "$ROOTFS"
command = ["/server", "127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "100ms"
ids = "range"
`

// What status says of a launch is what its records say and what gatewayd digest
// prints, by either stage.
func TestStagingIsTold(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"overlay", "copy", "auto"} {
		i := newInstance(t, "told-"+stage)
		i.configure(serving + fmt.Sprintf("stage = %q\n", stage))
		digest := strings.TrimSpace(i.must("digest", i.values["ROOTFS"]))
		i.mustStart()
		s := i.await("web", "staged and known", func(s state) bool { return s.Digest != "" })
		want := stage
		if stage == "auto" {
			want = "overlay"
		}
		if s.Stage != want || s.Digest != digest || s.IDs != "single" || (s.Reason == "") != (want == "overlay") {
			t.Errorf("%s: status %+v, want the digest %s", stage, s, digest)
		}
		text := i.must("status")
		if err := errors.Join(contains(text, want), contains(text, digest)); err != nil {
			t.Error(err)
		}
		ready := i.awaitRecord("the launch", func(record) bool { return true }, "GATEWAY=web", "EVENT=launch-ready")
		if ready.field("STAGE") != want || want == "copy" && ready.field("DIGEST") != digest {
			t.Errorf("%s: record %v", stage, ready)
		}
		i.must("stop", "web")
		ended := i.awaitRecord("its end", func(record) bool { return true }, "GATEWAY=web", "EVENT=launch-ended")
		if ended.field("STAGE") != want || ended.field("DIGEST") != digest {
			t.Errorf("%s: record %v", stage, ended)
		}
		i.mustStop()
		i.mustBeNothing()
	}
}

// A tree that is not the one pinned fails its gateway for good, and says both
// digests wherever one looks.
func TestPinnedTree(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "pinned")
	digest := strings.TrimSpace(i.must("digest", i.values["ROOTFS"]))
	wrong := "sha256:" + strings.Repeat("0", 64)
	i.configure(serving + fmt.Sprintf("digest = %q\n", digest) + `
[gateway.other]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT2"]
digest = "` + wrong + `"
`)
	i.mustStart()
	i.awaitReady("web")
	s := i.await("other", "failed", func(s state) bool { return s.Phase == "failed" })
	failed := i.awaitRecord("the failure", func(record) bool { return true }, "GATEWAY=other", "EVENT=gateway-failed")
	for _, text := range []string{s.Cause, failed.field("CAUSE")} {
		if err := errors.Join(contains(text, digest), contains(text, wrong)); err != nil {
			t.Error(err)
		}
	}
	if _, _, code := i.gatewayd("status"); code != 3 {
		t.Errorf("exit code of status %d, not 3", code)
	}
	if _, stderr, code := i.gatewayd("start", "other"); code != 1 || !strings.Contains(stderr, wrong) {
		t.Errorf("exit code of start %d: %s", code, stderr)
	}
	eventually(t, "nothing of it left", func() error { return i.exactly(1) })
	i.mustStop()
	i.mustBeNothing()
}

// A server that becomes its own user serves, and all that it made goes: at a
// stop, and after a kill -9 of gatewayd.
func TestServerWithItsOwnUser(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"overlay", "copy"} {
		i := newInstance(t, "range-"+stage)
		testenv.NeedRange(t)
		mustCopy(t, programs.server, filepath.Join(i.values["ROOTFS"], "server"))
		i.configure(ranged + fmt.Sprintf("stage = %q\n", stage))
		i.mustStart()
		before := i.awaitReady("web")
		if before.IDs != "range" || before.Stage != stage {
			t.Errorf("status %+v", before)
		}
		if got := i.mustAsk("PORT", "/"); got != "33 33\n" {
			t.Errorf("it serves as %q", got)
		}
		i.awaitRecord("its output", func(r record) bool { return r.message() == "serving as 33 33" }, "GATEWAY=web")
		_ = kill(i.mainPid(), syscall.SIGKILL)
		eventually(t, "one container", func() error {
			if s, err := i.states(); err != nil || s["web"].ID == before.ID {
				return fmt.Errorf("status %+v %w", s, err)
			}
			return i.exactly(1)
		})
		if err := kill(before.Pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("pid %d of the old one: %v", before.Pid, err)
		}
		i.mustStop()
		i.mustBeNothing()
	}
}

// What root made immutable in a staged tree stays, is shown by path, and goes at
// a restart when it can.
func TestImmutableFileInAStagedTree(t *testing.T) {
	i := newSystemInstance(t)
	i.configure(serving)
	tree := filepath.Join(i.state, "rootfs/web-1-aaaaaaaaaa")
	mustWrite(t, filepath.Join(tree, "dir/file"), "stays")
	file := filepath.Join(tree, "dir/file")
	aside := filepath.Join(i.state, "rootfs/.removing-web-1-aaaaaaaaaa/dir/file")
	if out, err := exec.Command("chattr", "+i", file).CombinedOutput(); err != nil {
		t.Fatalf("chattr: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", file, aside).Run() })
	i.mustStart()
	if err := errors.Join(contains(i.must("status"), "dir/file"), contains(i.must("status", "--json"), `"leftovers": [`)); err != nil {
		t.Error(err)
	}
	if out, err := exec.Command("chattr", "-i", aside).CombinedOutput(); err != nil {
		t.Errorf("chattr: %v: %s", err, out)
	}
	if err := i.systemctl("restart", i.unit); err != nil {
		t.Fatal(err)
	}
	if out := i.must("status"); strings.Contains(out, "dir/file") {
		t.Errorf("status still shows it:\n%s", out)
	}
	if _, err := os.Lstat(filepath.Dir(filepath.Dir(aside))); err == nil {
		t.Error("it is left")
	}
	i.mustStop()
	i.mustBeNothing()
}
