package bundle

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also what some tests run: see the roles.
const (
	roleHelper = "role-helper"
	roleHalf   = "role-half"
	roleMount  = "role-mount"
	roleWreck  = "role-wreck"
	innerEnv   = "GATEWAYD_BUNDLE_INNER" // set in a test that runs itself again
)

func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	var err error
	switch os.Args[1] {
	case roleHelper:
		err = HelperMain(context.Background(), os.Args[2:])
	case roleHalf:
		err = beHalf(os.Args[2])
	case roleMount:
		err = beMount(os.Args[2], os.Args[3])
	case roleWreck:
		err = beWreck(os.Args[2], os.Args[3])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// beHalf is a helper that leaves half of a copy, writes to the FIFO named
// started, and hangs.
func beHalf(started string) error {
	in := gob.NewDecoder(os.Stdin)
	var asked request
	var work copyWork
	half := func() string { return filepath.Join(work.Dest, "half") }
	if err := errors.Join(in.Decode(&asked), in.Decode(&work)); err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(half(), 0o755), os.Chmod(half(), 0), os.WriteFile(started, nil, 0)); err != nil {
		return err
	}
	time.Sleep(time.Hour) // is killed
	return nil
}

// Ids of a user and of one more group of his that this machine gives nobody.
const testUID, testGroup = 64123, 64124

// asUser reports whether the test goes on here. As root it does not: root may do
// everything, which is what such a test is not about, so the test is run again
// as another user, and its verdict is this one's.
func asUser(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 || os.Getenv(innerEnv) != "" {
		return true
	}
	rerun(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testUID, Gid: testUID, Groups: []uint32{testGroup}}})
	return false
}

// asMounter reports whether the test goes on here: in a mount namespace of its
// own, where it may mount a tmpfs and nobody else sees it.
func asMounter(t *testing.T) bool {
	t.Helper()
	if os.Getenv(innerEnv) != "" {
		return true
	}
	rerun(t, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	})
	return false
}

func rerun(t *testing.T, attr *syscall.SysProcAttr) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bundle-rerun-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec.Command("rm", "-rf", dir).Run() })
	binary := filepath.Join(dir, "bundle.test")
	copyExecutable(t, binary)
	tmp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if attr.Credential != nil {
		if err := os.Chown(tmp, testUID, testUID); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.v", "-test.count=1", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.Dir, cmd.SysProcAttr = dir, attr
	// The race detector would wait a second at exit for reports.
	cmd.Env = append(os.Environ(), innerEnv+"=1", "TMPDIR="+tmp, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in another process: %v\n%s", err, out)
	}
}

func copyExecutable(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

// only drops what is told of a copy that was made.
func only(_ Copied, err error) error { return err }

// helperOptions let Copy run this binary as its helper.
func helperOptions() CopyOptions {
	return CopyOptions{Helper: []string{"/proc/self/exe", roleHelper}, IDs: SingleID(os.Getuid(), os.Getgid())}
}
