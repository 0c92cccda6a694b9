package bundle

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// The test binary is also what some tests run: see the roles.
const (
	roleHelper = "role-helper"
	roleHalf   = "role-half"
	roleCopy   = "role-copy"
	roleMount  = "role-mount"
	roleWreck  = "role-wreck"
	roleParent = "role-parent"
	roleServer = "role-server"
	roleRemove = "role-remove"
	innerEnv   = "GATEWAYD_BUNDLE_INNER" // set in a test that runs itself again
)

func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	var err error
	switch os.Args[1] {
	case roleHelper:
		maps.Copy(operations, testOperations)
		err = HelperMain(context.Background(), os.Args[2:])
	case roleParent:
		err = beParent(os.Args[2])
	case roleCopy:
		err = beKilledCopy(os.Args[2], os.Args[3], os.Args[4])
	case roleHalf:
		err = beHalf(os.Args[2])
	case roleMount:
		err = beMount(os.Args[2], os.Args[3])
	case roleWreck:
		err = beWreck(os.Args[2], os.Args[3])
	case roleRemove:
		err = Remove(context.Background(), os.Args[2], os.Args[3], RemoveOptions{})
	case roleServer:
		err = beServer()
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

// asRangeUser reports whether the test goes on here: as a user with subordinate
// ids. As root it is run again as another user who has them in a mount namespace
// where /etc/passwd says who that is, and /etc/subuid and /etc/subgid what.
func asRangeUser(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 || os.Getenv(innerEnv) != "" {
		testenv.NeedRange(t)
		return true
	}
	etc := t.TempDir()
	must(t, os.Chmod(filepath.Dir(etc), 0o755), os.Chmod(etc, 0o755))
	script := "set -e; mount --make-rprivate /"
	for name, text := range map[string]string{
		"passwd": fmt.Sprintf("root:x:0:0::/:/bin/sh\nranger:x:%d:%d::/:/bin/sh\n", testUID, testUID),
		"subuid": "ranger:200000:65536\n",
		"subgid": "ranger:300000:65536\n",
	} {
		if _, err := os.Stat(filepath.Join("/etc", name)); err != nil {
			testenv.Skip(t, "needs an /etc/"+name+" to mount another one over it: install the package passwd, or run it in the test host")
		}
		file := filepath.Join(etc, name)
		must(t, os.WriteFile(file, []byte(text), 0o644))
		script += fmt.Sprintf("; mount --bind %s /etc/%s", file, name)
	}
	script += fmt.Sprintf(`; exec setpriv --reuid %d --regid %d --groups %d "$@"`, testUID, testUID, testGroup)
	rerunBehind(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}, testUID, "/bin/sh", "-c", script, "sh")
	return false
}

// rangeIDs are those of a user with subordinate ids.
func rangeIDs(t *testing.T) IDMap {
	t.Helper()
	ids, err := SubordinateIDs(os.Getuid(), os.Getuid(), os.Getgid())
	must(t, err)
	return ids
}

func rerun(t *testing.T, attr *syscall.SysProcAttr) {
	t.Helper()
	owner := os.Getuid()
	if attr.Credential != nil {
		owner = int(attr.Credential.Uid)
	}
	rerunBehind(t, attr, owner)
}

// rerunBehind runs the test once more, behind the arguments prefix, with a
// temporary directory of owner's.
func rerunBehind(t *testing.T, attr *syscall.SysProcAttr, owner int, prefix ...string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bundle-rerun-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec.Command("rm", "-rf", dir).Run() })
	binary, tmp := filepath.Join(dir, "bundle.test"), filepath.Join(dir, "tmp")
	copyExecutable(t, binary)
	must(t, os.Mkdir(tmp, 0o700), os.Chown(tmp, owner, owner), os.Chmod(dir, 0o755))
	argv := slices.Concat(prefix, []string{binary, "-test.v", "-test.count=1", "-test.run=^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"})
	cmd := exec.Command(argv[0], argv[1:]...)
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
