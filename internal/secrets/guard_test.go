package secrets

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What another process of the same user finds in /proc.
func TestGuardedProcess(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "SECRETS_TEST=yes", "TOKEN=c4n4ry")
	go1, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	lines := bufio.NewScanner(out)
	says := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("it says %q, want %q", lines.Text(), want)
		}
	}
	file := func(name string) string { return fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name) }

	says("began 1 <nil>")
	says("wiped <nil>")
	environ, err := os.ReadFile(file("environ"))
	if err != nil || len(environ) == 0 || strings.Trim(string(environ), "\x00") != "" {
		t.Errorf("environ holds %q, %v", environ, err)
	}
	if line, err := os.ReadFile(file("cmdline")); err != nil || string(line) != "/proc/self/exe\x00" {
		t.Errorf("cmdline holds %q, %v", line, err)
	}
	_, err = go1.Write([]byte{1})
	must(t, err)
	says("guarded <nil>")
	for _, name := range []string{"environ", "mem", "fd", "maps"} {
		if _, err := os.ReadFile(file(name)); os.Geteuid() != 0 && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s is open to others: %v", name, err)
		}
	}
	if info, err := os.Stat(file("mem")); err != nil || info.Sys() == nil || owner(info) != 0 {
		t.Errorf("mem belongs to uid %d, %v: it is not guarded", owner(info), err)
	}
	must(t, go1.Close(), cmd.Wait())
}
