package handover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// program starts the first of so many images, and returns it with its output and
// the address that it listens on.
func program(t *testing.T, images int) (*exec.Cmd, *bufio.Reader, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "HANDOVER_TEST=first", fmt.Sprint("HANDOVER_LEFT=", images-1), "LISTEN_FDS=1", "HANDOVER_KEPT=yes")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	_, address, ok := strings.Cut(strings.TrimSpace(line), "listens ")
	if err != nil || !ok {
		t.Fatal(line, err)
	}
	return cmd, lines, address
}

// Pid, child with its status, pipe and listener stay over any number of images; a
// child of the last has no signal blocked.
func TestImages(t *testing.T) {
	cmd, lines, address := program(t, 20)
	c, err := net.Dial("tcp", address) // whoever connects meanwhile is served by the last
	if err != nil {
		t.Fatal(err)
	}
	if hello, err := io.ReadAll(c); string(hello) != "hello" {
		t.Errorf("%q, %v", hello, err)
	}
	rest, err := io.ReadAll(lines)
	if err = errors.Join(err, cmd.Wait()); err != nil {
		t.Errorf("%v: %s", err, rest)
	}
	// What ignored signals we were started with (posix_spawn of glibc leaves one of its own), a child of the last has as well.
	ours := ignored(t)
	for _, want := range []string{"20 images, same pid true, exit 7, rest 0, SigBlk:\t0000000000000000", ours, "environment true true yes"} {
		if !strings.Contains(string(rest), want) {
			t.Errorf("no %q in %s", want, rest)
		}
	}
}

// ignored is the line of /proc/self/status that tells which signals we ignore.
func ignored(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "SigIgn:") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatal("no SigIgn")
	return ""
}

// A SIGHUP that comes at any moment of an exec ends nobody. A SIGTERM may, since
// Go takes it up before anybody can ask for it; it never does anything else.
func TestSignalAtAnyMoment(t *testing.T) {
	cmd, lines, _ := program(t, 1<<20) // for ever
	for range 2000 {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		for cmd.Process.Signal(syscall.SIGTERM) == nil {
			time.Sleep(time.Millisecond) // until it is seen
		}
	}()
	rest, _ := io.ReadAll(lines)
	err := cmd.Wait()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !strings.Contains(string(rest), "got ") && status.Signal() != syscall.SIGTERM {
		t.Errorf("%v: %s", err, rest)
	}
}

func seal(t *testing.T, value any) *Sealed {
	t.Helper()
	s, err := New("v1").Seal(value)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// What cannot be executed leaves everything as it was.
func TestExecThatFails(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = read.Close(), write.Close() }()
	p := New("v1")
	if err := p.Add("read", read); err != nil {
		t.Fatal(err)
	}
	s, err := p.Seal(state{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Exec(filepath.Join(t.TempDir(), "missing"), []string{"x"}, nil, func() error { return nil })
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if flags, err := unix.FcntlInt(read.Fd(), unix.F_GETFD, 0); flags != unix.FD_CLOEXEC {
		t.Errorf("flags %d, %v", flags, err)
	}
	stays := errors.New("asked to end")
	if err := s.Exec("/bin/true", []string{"true"}, nil, func() error { return stays }); !errors.Is(err, stays) {
		t.Errorf("error %v", err)
	}
	signal.Reset(Signals...)
}

func TestCheck(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for how, want := range map[string]string{
		"takes": "", "refuses": "I do not like it", "succeeds": "does not say", "lies": "does not say", "hangs": "does not answer",
	} {
		t.Run(how, func(t *testing.T) {
			limit := time.Minute
			if how == "hangs" {
				limit = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			program, err := seal(t, state{}).Check(ctx, self, "takeover", how)
			if want == "" && (err != nil || program != "v2") {
				t.Errorf("%q, %v", program, err)
			}
			if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := seal(t, struct{ Unknown int }{1}).Check(t.Context(), self, "takeover", "takes"); err == nil || !strings.Contains(err.Error(), "Unknown") {
		t.Errorf("a state with more than it knows: %v", err)
	}
	if _, err := seal(t, state{}).Check(t.Context(), filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing binary: %v", err)
	}
	for _, binary := range []string{"/bin/true", "/bin/cat"} {
		if _, err := seal(t, state{}).Check(t.Context(), binary); err == nil {
			t.Errorf("%s takes it", binary)
		}
	}
}

// What was not sealed may change after it was checked.
func TestUnsealed(t *testing.T) {
	plain, err := os.Create(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	if _, err := Read(plain); err == nil || !strings.Contains(err.Error(), "sealed") {
		t.Errorf("a plain file: %v", err)
	}
	fd, err := unix.MemfdCreate("state", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	memory := os.NewFile(uintptr(fd), "state")
	defer func() { _ = memory.Close() }()
	_, _ = memory.WriteString(`{"version":2,"program":"","pid":1,"at":"2026-01-01T00:00:00Z","files":{},"state":{}}`)
	if _, err := Read(memory); err == nil || !strings.Contains(err.Error(), "sealed") {
		t.Errorf("an open memory file: %v", err)
	}
}

func TestParcelOfAnother(t *testing.T) {
	s := seal(t, state{})
	fd, err := unix.FcntlInt(s.memory.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(Variable, fmt.Sprint(fd))
	taken, err := Take()
	if err != nil || taken == nil || taken.Program != "v1" {
		t.Errorf("%+v, %v", taken, err)
	}
	for _, value := range []string{"", "x", "1", "-1", "99999"} {
		t.Setenv(Variable, value)
		if taken, err := Take(); err == nil {
			t.Errorf("%q: %+v", value, taken)
		}
	}
	if taken, err := Take(); taken != nil || err != nil { // the variable is gone
		t.Errorf("%+v, %v", taken, err)
	}
}

func TestFaultyParcels(t *testing.T) {
	const rest = `,"program":"","pid":1,"at":"2026-01-01T00:00:00Z"`
	for name, c := range map[string]struct{ text, want string }{
		"newer":     {`{"version":3,"whatever":[]}`, "version 3"},
		"older":     {`{"version":0}`, "version 0"},
		"truncated": {`{"version":2` + rest, "read state"},
		"empty":     {``, "read state"},
		"more":      {`{"version":2` + rest + `,"files":{},"state":{}} {}`, "invalid"},
		"unknown":   {`{"version":2` + rest + `,"files":{},"state":{},"x":1}`, "unknown"},
		"stdin":     {`{"version":2` + rest + `,"files":{"a":0},"state":{}}`, "number 0"},
		"twice":     {`{"version":2` + rest + `,"files":{"a":7,"b":7},"state":{}}`, "number 7"},
		"no state":  {`{"version":2` + rest + `,"files":{}}`, "none"},
	} {
		if _, err := parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"version":2,"program":"v1","pid":1,"at":"2026-01-01T00:00:00Z","files":{"lock":3,"control":4},"state":{"images":1}}`,
		`{"version":2,"files":{"lock":-1}}`, `{"version":3}`, `[]`, ``, `{"version":2e0}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := parse(text)
		if err != nil {
			return
		}
		seen := map[int]bool{}
		for name, fd := range d.Files {
			if fd <= 2 || seen[fd] {
				t.Errorf("file %s has number %d", name, fd)
			}
			seen[fd] = true
		}
		if d.Version != Version || len(d.State) == 0 {
			t.Errorf("%+v", d)
		}
	})
}
