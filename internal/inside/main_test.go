package inside

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// self is this binary, also where its path cannot be reached: by another user,
// or in other namespaces.
const self = "/proc/self/exe"

// TestMain is also the commands under test, and the programs that they run.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch args := os.Args[2:]; os.Args[1] {
	case "init":
		code, err := Init(args)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = Code(err)
		}
		os.Exit(code)
	case "confine":
		err := Confine(args)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(Code(err))
	case "program":
		if err := programs[args[0]](args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(99)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// contained is a command in new namespaces of its own, where it is PID 1 and
// root, as gatewayd's containers map their user.
func contained(t *testing.T, more uintptr, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // or each exit takes a second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID | more,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	return cmd
}

// output runs cmd, which must exit with 0, and returns the fields of its output.
func output(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return strings.Fields(string(out))
}

// TestAsOrdinaryUser runs all of these tests once more without privileges, when
// they run as root.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		return // they run that way already
	}
	cmd := exec.Command(self, "-test.v", "-test.timeout=1m", "-test.skip=TestAsOrdinaryUser")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65533, Gid: 65533}, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("as uid 65533: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: TestConfine") {
		t.Fatalf("the tests did not run:\n%s", out)
	}
}
