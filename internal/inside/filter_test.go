package inside

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/seccomp"
)

// forbidding is a profile that refuses what the program "forbid" does.
func forbidding() *specs.LinuxSeccomp {
	enosys := uint(unix.ENOSYS)
	return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"unshare"}, Action: specs.ActErrno},
		{Names: []string{"keyctl"}, Action: specs.ActErrno, ErrnoRet: &enosys},
	}}
}

func filter(t *testing.T, profile *specs.LinuxSeccomp) *os.File {
	t.Helper()
	compiled, err := seccomp.Compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	return filterFile(t, compiled)
}

func filterFile(t *testing.T, filter seccomp.Filter) *os.File {
	t.Helper()
	file, err := filter.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func confined(t *testing.T, filter *os.File) *exec.Cmd {
	t.Helper()
	cmd := contained(t, 0, "confine", Separator, self, "program", "forbid")
	cmd.ExtraFiles = []*os.File{nil, filter}
	return cmd
}

func TestConfineInstallsTheFilter(t *testing.T) {
	if got := output(t, confined(t, filter(t, forbidding()))); !slices.Equal(got, []string{"true", "true"}) {
		t.Errorf("unshare and keyctl are refused: %v", got)
	}
	if got := output(t, confined(t, filter(t, nil))); !slices.Equal(got, []string{"false", "false"}) {
		t.Errorf("without a filter, unshare and keyctl are refused: %v", got)
	}
}

// Without its filter a program is not run.
func TestConfineRefusesWithoutFilter(t *testing.T) {
	empty, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	for want, file := range map[string]*os.File{
		"read seccomp filter: no sealed file: ": nil, "no sealed file": empty,
		"seccomp: invalid argument": filterFile(t, make(seccomp.Filter, 2)),
	} {
		cmd := confined(t, file)
		var words strings.Builder
		cmd.Stderr = &words
		out, err := cmd.Output()
		if err == nil || len(out) > 0 || !strings.HasPrefix(words.String(), "confine program: ") || !strings.Contains(words.String(), want) {
			t.Errorf("%v, %q, %q: not %s", err, out, words.String(), want)
		}
	}
}
