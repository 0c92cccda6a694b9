package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// small gives a directory of root's gatewayd a file system of its own.
func (i *instance) small(dir, options string) {
	i.t.Helper()
	mustMkdir(i.t, dir, 0o711)
	if err := syscall.Mount("none", dir, "tmpfs", 0, "mode=711,"+options); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// fill leaves no room in a file system, and returns how to make some.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for err == nil {
		_, err = io.WriteString(file, strings.Repeat("x", 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() { mustRemove(t, path) }
}

// useInodes leaves no inode in a file system, and returns how to make some.
func useInodes(t *testing.T, dir string) (free func()) {
	t.Helper()
	ballast, err := os.MkdirTemp(dir, "ballast")
	for n := 0; err == nil; n++ {
		var file *os.File
		if file, err = os.Create(filepath.Join(ballast, fmt.Sprint(n))); err == nil {
			_ = file.Close()
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() { mustRemove(t, ballast) }
}

func mustRemove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// A file system of gatewayd's that is full keeps what runs running. What ends comes
// back by itself when there is room, nothing half-made is left, and until then it is
// told which one is full.
func TestFileSystemFillsUp(t *testing.T) {
	for name, c := range map[string]struct {
		dir     func(*instance) string
		options string
		use     func(t *testing.T, dir string) (free func())
	}{
		"state, no room":     {func(i *instance) string { return i.state }, "size=40m", fill},
		"state, no inodes":   {func(i *instance) string { return i.state }, "nr_inodes=200", useInodes},
		"runtime, no room":   {func(i *instance) string { return i.run }, "size=1m", fill},
		"runtime, no inodes": {func(i *instance) string { return i.run }, "nr_inodes=200", useInodes},
	} {
		t.Run(name, func(t *testing.T) {
			i := newSystemInstance(t)
			dir := c.dir(i)
			i.small(dir, c.options)
			i.configure(strings.ReplaceAll(steady, "restart.max_delay", "stage = \"copy\"\nrestart.max_delay"))
			i.mustStart()
			web, other := i.awaitReady("web"), i.awaitReady("other")
			i.must("stop", "web") // else its end makes room for the next launch
			free := c.use(t, dir)
			go i.gatewayd("start", "web")
			i.causes("gateway-backoff", "web", "no space left on device", dir+" has ", "make room there")
			if s := i.await("web", "failing again", func(s state) bool { return s.Failures > 5 }); !strings.Contains(s.Cause, dir) {
				t.Errorf("status: %s", s.Cause)
			}
			if left := names(filepath.Join(i.run, "launches")); len(left) > 3 {
				t.Errorf("what is full gets fuller: %v", left)
			}
			free()
			i.awaitLaunch("web", web.Launch)
			if s := i.awaitReady("other"); s.ID != other.ID {
				t.Errorf("the other one was ended: %+v", s)
			}
			eventually(t, "two containers", func() error { return i.exactly(2) })
			i.mustStop()
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
			if err := i.nothing(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What was deployed while the disk was full is written down when it is not any more,
// and a stop holds at least for this gatewayd.
func TestHistoryOfAFullDisk(t *testing.T) {
	i := newSystemInstance(t)
	i.small(i.state, "nr_inodes=200")
	i.configure(steady)
	i.mustStart()
	two := i.version("two")
	free := useInodes(t, i.state)
	if _, stderr, code := i.gatewayd("stop", "other"); code != 1 || !strings.Contains(stderr, "keep other stopped over a restart") {
		t.Errorf("stop: exit code %d: %s", code, stderr)
	}
	i.await("other", "stopped", func(s state) bool { return s.Phase == "stopped" })
	freeMore := useInodes(t, i.state) // what the other one had
	if _, stderr, code := i.gatewayd("deploy", "web", "--rootfs", two); code == 0 || !strings.Contains(stderr, "no space left on device") {
		t.Errorf("deploy: exit code %d: %s", code, stderr)
	}
	i.causes("history-lost", "web", "no space left on device", i.state+" has ")
	free()
	freeMore()
	i.awaitRecord("the history again", func(r record) bool { return r.field("PRIORITY") == "6" }, "EVENT=history-lost", "GATEWAY=web")
	text, err := os.ReadFile(filepath.Join(i.state, "revisions/web.json"))
	if err != nil || !strings.Contains(string(text), two) {
		t.Errorf("the deploy is not in the history: %v %s", err, text)
	}
	i.must("stop", "other")
	i.must("deploy", "web", "--rootfs", two)
	i.mustStop()
}
