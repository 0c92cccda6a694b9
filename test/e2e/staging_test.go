package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each launch gets a fresh tree, whatever the one before did to its own, with
// the modes of the source; the source is never written.
func TestEachLaunchHasAFreshTree(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"copy", "overlay"} {
		t.Run(stage, func(t *testing.T) { eachLaunchHasAFreshTree(t, stage) })
	}
}

func eachLaunchHasAFreshTree(t *testing.T, stage string) {
	i := newInstance(t, "fresh-"+stage)
	source := i.values["ROOTFS"]
	mustWrite(t, filepath.Join(source, "closed/secret"), "of the source")
	if err := os.Chmod(filepath.Join(source, "closed"), 0o711); err != nil {
		t.Fatal(err)
	}
	before := tree(t, source)
	i.configure(serving + fmt.Sprintf("stage = %q\n", stage))
	i.mustStart()
	i.tell("PORT", "write=/closed/secret:changed")
	i.tell("PORT", "bury=/dir")
	i.tell("PORT", "write=/trace:left")
	eventually(t, "the trace", func() error { return contains(i.mustAsk("PORT", "/list?path=/"), "trace") })
	i.tell("PORT", "exit=1")
	i.awaitLaunch("web", 1)
	if text := i.read("PORT", "/closed/secret"); text != "of the source" {
		t.Errorf("the next launch reads %q", text)
	}
	for _, name := range strings.Fields(i.mustAsk("PORT", "/list?path=/")) {
		if name == "trace" || name == "dir" {
			t.Errorf("/%s of the launch before is there", name)
		}
	}
	// The trees of ended launches go, also what has no modes.
	eventually(t, "one tree", func() error { return i.exactly(1) })
	staged := filepath.Join(i.state, "rootfs", i.awaitReady("web").ID)
	if info, err := os.Stat(filepath.Join(staged, "closed")); stage == "copy" && (err != nil || info.Mode().Perm() != 0o711) {
		t.Errorf("the staged directory has %v %v", info, err)
	}
	i.mustStop()
	i.mustBeNothing()
	if after := tree(t, source); after != before {
		t.Errorf("the source was\n%s\nand is\n%s", before, after)
	}
}

// A directory of the source that its owner cannot read is staged too, and stays
// as it is.
func TestSourceWithModeZero(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "mode-zero")
	closed := filepath.Join(i.values["ROOTFS"], "closed")
	mustWrite(t, filepath.Join(closed, "inner/file"), "hidden")
	for _, path := range []string{"inner/file", "inner", "."} {
		if err := os.Chmod(filepath.Join(closed, path), 0); err != nil {
			t.Fatal(err)
		}
	}
	i.configure(serving + "isolation.init = true\nstage = \"copy\"\n")
	i.mustStart()
	staged := filepath.Join(i.state, "rootfs", i.awaitReady("web").ID, "closed")
	for _, path := range []string{closed, staged} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0 {
			t.Errorf("%s is %v %v", path, info, err)
		}
	}
	if err := os.Chmod(staged, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(staged, "inner"), 0o700); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(staged, "inner/file")); err != nil || info.Size() != int64(len("hidden")) || info.Mode().Perm() != 0 {
		t.Errorf("the staged file is %v %v", info, err)
	}
	i.mustStop()
	i.mustBeNothing()
}

// What a gateway keeps in "data" outlives launches and gatewayd itself.
func TestDataPersists(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "data")
	i.configure(serving + `mount = [{ source = "data", target = "/var/lib/web" }]` + "\n")
	i.mustStart()
	i.tell("PORT", "write=/var/lib/web/file:precious")
	eventually(t, "the file", func() error { return contains(i.mustAsk("PORT", "/list?path=/var/lib/web"), "file") })
	i.tell("PORT", "exit=1")
	i.awaitLaunch("web", 1)
	if text := i.read("PORT", "/var/lib/web/file"); text != "precious" {
		t.Errorf("after a crash it is %q", text)
	}
	i.mustStop()
	i.mustStart()
	if text := i.read("PORT", "/var/lib/web/file"); text != "precious" {
		t.Errorf("after a restart of gatewayd it is %q", text)
	}
}

// A source that goes wrong half-way leaves nothing staged.
func TestPartialStagingIsCleaned(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "partial")
	mustWrite(t, filepath.Join(i.dir, "bad/aaa/file"), "staged before the fault")
	mkfifo(t, filepath.Join(i.dir, "bad/zzz"))
	i.configure(serving + `
[gateway.bad]
rootfs = "$DIR/bad"
command = ["/gateway"]
`)
	i.mustStart()
	s := i.await("bad", "failed", func(s state) bool { return s.Phase == "failed" })
	if err := contains(s.Cause, "zzz"); err != nil {
		t.Error(err)
	}
	eventually(t, "nothing of it left", func() error { return i.exactly(1) })
}

// A packaged OCI bundle brings its own arguments and environment.
func TestPackagedBundle(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "bundle")
	if err := os.Rename(i.values["ROOTFS"], filepath.Join(i.dir, "rootfs.tmp")); err != nil {
		t.Fatal(err)
	}
	mustMkdir(t, filepath.Join(i.dir, "bundle"), 0o755)
	if err := os.Rename(filepath.Join(i.dir, "rootfs.tmp"), filepath.Join(i.dir, "bundle/rootfs")); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(i.dir, "bundle/config.json"), `{"ociVersion": "1.0.2", "root": {"path": "rootfs"},
		"process": {"args": ["/gateway", "serve=127.0.0.1:`+i.values["PORT"]+`"], "cwd": "/", "env": ["PACKAGED=yes", "LOG=packaged"],
			"capabilities": {"bounding": ["CAP_SYS_ADMIN"]}, "user": {"uid": 1000, "gid": 1000}}}`)
	i.configure(`
[gateway.web]
bundle = "$DIR/bundle"
env.static = { LOG = "configured" }
ready.probe = "http://127.0.0.1:$PORT/"
isolation.override = true
`)
	i.mustStart()
	env := i.mustAsk("PORT", "/env")
	for _, want := range []string{"PACKAGED=yes", "LOG=configured"} {
		if err := contains(env, want); err != nil {
			t.Error(err)
		}
	}
	i.wantConfined("/proc/self/status")
}

// tree is a listing of a directory with what must not change in it.
func tree(t testing.TB, root string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			list.WriteString(strings.Join([]string{path, info.Mode().String(), info.ModTime().String()}, " ") + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}
