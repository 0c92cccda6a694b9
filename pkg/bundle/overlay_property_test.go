package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// A random tree seen through an overlay is equal to the source, which stays as
// it is whatever a program does in there, and what that leaves can be removed.
func TestOverlayOfAnyTree(t *testing.T) {
	if !asUser(t) {
		return
	}
	if err := CheckUpper(os.TempDir()); err != nil {
		testenv.Skip(t, err.Error())
	}
	fewer(t, "25")
	wrecked := 0
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "bundle-overlay-")
		must(rt, err)
		defer func() { _ = exec.Command("rm", "-rf", dir).Run() }()
		source := filepath.Join(dir, "sou:rce,")
		must(rt, os.Mkdir(source, 0o755), os.WriteFile(filepath.Join(dir, "canary"), []byte("alive"), 0o644))
		grow(rt, source)
		want := describe(rt, source)
		before, err := Examine(context.Background(), source, SurveyOptions{Content: ContentAll})
		must(rt, err, before.OverlayRefusal(source, ownIDs(), false))

		o, err := MakeOverlay(filepath.Join(dir, "o:v,er\\lay"), source, ownIDs())
		must(rt, err)
		tree, done := mounted(rt, o, wreckages.Draw(rt, "wreckages"))
		wrecked += done
		sameTree(rt, want, tree)

		must(rt, Remove(context.Background(), dir, "o:v,er\\lay", RemoveOptions{}))
		onlyHolds(rt, dir, "canary", "sou:rce,")
		sameTree(rt, want, describe(rt, source))
		if data, err := os.ReadFile(filepath.Join(dir, "canary")); string(data) != "alive" {
			rt.Errorf("canary: %q, %v", data, err)
		}
		after, err := Examine(context.Background(), source, SurveyOptions{Content: ContentAll})
		must(rt, err)
		if after.Digest != before.Digest || after.State != before.State {
			rt.Errorf("the source is %s and was %s", after.Digest, before.Digest)
		}
		must(rt, Remove(context.Background(), dir, "sou:rce,", RemoveOptions{}))
	})
	if wrecked == 0 {
		t.Error("no tree was wrecked")
	}
}

// fewer is for a property that starts a process for each tree. As many as
// rapid's default, or as -rapid.checks says, with GATEWAYD_TEST_LONG=1.
func fewer(t *testing.T, checks string) {
	t.Helper()
	const name = "rapid.checks"
	if f := flag.Lookup(name); os.Getenv("GATEWAYD_TEST_LONG") != "1" && f.Value.String() == f.DefValue {
		must(t, flag.Set(name, checks))
		t.Cleanup(func() { must(t, flag.Set(name, f.DefValue)) })
	}
}

// mounted lets beMount have the overlay.
func mounted(t rapid.TB, o Overlay, harm []wreckage) (map[string]string, int) {
	t.Helper()
	overlay, err := json.Marshal(o)
	must(t, err)
	does, err := json.Marshal(harm)
	must(t, err)
	cmd := exec.Command("/proc/self/exe", roleMount, string(overlay), string(does))
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	var problem bytes.Buffer
	cmd.Stderr = &problem
	report, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problem.Bytes())
	}
	return found(t, string(report))
}
