package inside

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const none = "0000000000000000"

// powerless is what rights prints of a program that has nothing.
var powerless = []string{"CapInh=" + none, "CapPrm=" + none, "CapEff=" + none, "CapBnd=" + none, "CapAmb=" + none, "NoNewPrivs=1", "Seccomp=2"}

func TestConfine(t *testing.T) {
	stray, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer stray.Close()

	before := contained(t, 0, "program", "rights")
	before.ExtraFiles = []*os.File{stray}
	got := output(t, before)
	if !slices.Contains(got, "fd=3") || slices.Contains(got, "CapEff="+none) {
		t.Fatalf("root of a new user namespace has %v", got)
	}

	cmd := contained(t, 0, "confine", Separator, self, "program", "rights")
	cmd.ExtraFiles = []*os.File{stray, filter(t, forbidding())}
	cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN} // and inheritable: these outlive execve
	if got := output(t, cmd); !slices.Equal(got, powerless) {
		t.Errorf("confined program has %v", got)
	}
}

// The way an exec probe goes: nsenter into a container that runs.
func TestConfineAfterNsenter(t *testing.T) {
	container := contained(t, unix.CLONE_NEWNS|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS|unix.CLONE_NEWNET, "program", "wait")
	running(t, container)
	binary, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(container.Process.Pid),
		"-U", "-m", "-p", "-i", "-n", "-u", "--preserve-credentials", "--",
		"/proc/self/fd/3", "confine", Separator, "/proc/self/fd/3", "program", "rights")
	cmd.ExtraFiles = []*os.File{binary, filter(t, forbidding())}
	cmd.Stderr = os.Stderr
	if got := output(t, cmd); !slices.Equal(got, powerless) {
		t.Errorf("confined program has %v", got)
	}
}

// One that is not root in its namespace has lost everything by execve already;
// the bounding set stays, and is worth nothing with no_new_privs.
func TestConfineWithoutCapabilities(t *testing.T) {
	cmd := contained(t, 0, "confine", Separator, self, "program", "rights")
	cmd.ExtraFiles = []*os.File{nil, filter(t, forbidding())}
	cmd.SysProcAttr.UidMappings[0].ContainerID = 7
	cmd.SysProcAttr.GidMappings[0].ContainerID = 7
	got := strings.Join(output(t, cmd), " ")
	for _, want := range []string{"CapInh=" + none, "CapPrm=" + none, "CapEff=" + none, "CapAmb=" + none, "NoNewPrivs=1", "Seccomp=2"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
}
