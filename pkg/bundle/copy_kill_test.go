package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// beKilledCopy copies, and kills itself when it looks at its context for the
// nth time.
func beKilledCopy(n, source, dest string) error {
	looks, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	return only(Copy(&lastLook{countTo(looks)}, source, dest, CopyOptions{}))
}

type lastLook struct{ context.Context }

func (l *lastLook) Err() error {
	if l.Context.Err() != nil {
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	return nil
}

// killedTree is small and has a bit of everything.
func killedTree(t *testing.T, source string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(source, name) }
	must(t, os.MkdirAll(at("d/closed"), 0o755), os.WriteFile(at("d/file"), []byte("content"), 0o640),
		os.WriteFile(at("d/large"), make([]byte, 9<<20), 0o644),
		os.Link(at("d/file"), at("link")), os.Symlink("d/file", at("symlink")), os.WriteFile(at("d/closed/f"), nil, 0o400),
		unix.Setxattr(at("d/file"), "user.note", []byte("kept"), 0))
	sparse(t, at("d/sparse"))
	must(t, os.Chmod(at("d/closed"), 0o500))
}

// A killed copy left its name with the prefix and nothing else, which goes like
// anything else; or it was complete.
func leftoverGoes(t *testing.T, dir string, want map[string]string) (left int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		switch name := entry.Name(); {
		case name == "dest":
			sameTree(t, want, describe(t, filepath.Join(dir, "dest")))
		case !strings.HasPrefix(name, StagingPrefix):
			t.Errorf("%q was left", name)
		}
		must(t, Remove(context.Background(), dir, entry.Name(), RemoveOptions{}))
	}
	onlyHolds(t, dir)
	return len(entries)
}

func TestCopyKilledAnywhereLeavesWhatCanBeRemoved(t *testing.T) {
	dir := scratch(t)
	source, stage := filepath.Join(dir, "source"), filepath.Join(dir, "stage")
	must(t, os.Mkdir(source, 0o755), os.Mkdir(stage, 0o755))
	killedTree(t, source)
	want, left := describe(t, source), 0
	for looks := 0; ; looks++ {
		cmd := exec.Command("/proc/self/exe", roleCopy, strconv.Itoa(looks), source, filepath.Join(stage, "dest"))
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
		out, err := cmd.CombinedOutput()
		if err == nil {
			if looks < 10 || left < 10 {
				t.Errorf("%d of %d kills left something", left, looks)
			}
			leftoverGoes(t, stage, want)
			return
		}
		if !killed(err) {
			t.Fatalf("%v\n%s", err, out)
		}
		left += leftoverGoes(t, stage, want)
	}
}

func killed(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && (status.Signaled() && status.Signal() == syscall.SIGKILL || status.ExitStatus() == 128+int(syscall.SIGKILL))
}

// The same at any system call of a kind, which takes strace.
func TestCopyKilledAtEachSystemCall(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err == nil {
		err = exec.Command(strace, "-f", "-o", "/dev/null", "true").Run()
	}
	if err != nil {
		testenv.Skip(t, fmt.Sprintf("needs strace (apt-get install strace) and the right to trace: %v", err))
	}
	dir := scratch(t)
	source, stage := filepath.Join(dir, "source"), filepath.Join(dir, "stage")
	must(t, os.Mkdir(source, 0o755), os.Mkdir(stage, 0o755))
	killedTree(t, source)
	want := describe(t, source)
	for _, call := range []string{"mkdirat", "openat2", "openat", "ioctl", "copy_file_range", "pwrite64", "fsetxattr", "ftruncate", "fstat",
		"fchmod", "utimensat", "linkat", "symlinkat", "close", "renameat2"} {
		left := 0
		for n := 1; n < 100; n += 1 + n/4 {
			program := []string{executable(t), roleCopy, "100000", source, filepath.Join(stage, "dest")}
			inject := fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n)
			out, err := exec.Command(strace, append([]string{"-f", "-o", "/dev/null", "-e", "trace=" + call, "-e", inject}, program...)...).CombinedOutput()
			if err != nil && !killed(err) {
				t.Fatalf("%s: %v\n%s", call, err, out)
			}
			left += leftoverGoes(t, stage, want)
			if err == nil { // fewer calls than n
				break
			}
		}
		if left == 0 {
			t.Errorf("no kill at %s left anything", call)
		}
	}
}
