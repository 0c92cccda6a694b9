package inside

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asInit is a program of this binary under an init that is PID 1.
func asInit(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return contained(t, 0, append([]string{"init", Separator, self, "program"}, args...)...)
}

// exitCode waits as the supervisor does, without reaping.
func exitCode(t *testing.T, pid int) int {
	t.Helper()
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			break
		} else if !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
	}
	// CLD_EXITED of wait(2), and si_status of siginfo_t on 64 bits.
	if info.Code != 1 {
		t.Errorf("the init itself ended otherwise than by exit: si_code %d", info.Code)
	}
	return int((*[8]int32)(unsafe.Pointer(&info))[6])
}

func TestInitReportsHowTheProgramEnded(t *testing.T) {
	tests := []struct {
		program []string
		code    int
		signal  syscall.Signal
	}{
		{[]string{"exit", "0"}, 0, 0},
		{[]string{"exit", "3"}, 3, 0},
		{[]string{"exit", "143"}, 143, 0}, // not SIGTERM
		{[]string{"exit", "255"}, 255, 0},
		{[]string{"die", "9"}, 0, syscall.SIGKILL},
		{[]string{"die", "15"}, 0, syscall.SIGTERM},
		{[]string{"die", "1"}, 0, syscall.SIGHUP},
	}
	for _, test := range tests {
		cmd := asInit(t, test.program...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		raw := exitCode(t, cmd.Process.Pid)
		code, signal := Outcome(cmd.Process.Pid, raw)
		if code != test.code || signal != test.signal {
			t.Errorf("%v: code %d signal %d, want %d and %d (exit code %d)", test.program, code, signal, test.code, test.signal, raw)
		}
		cmd.Wait()
		if test.signal != 0 && raw != 128+int(test.signal) {
			t.Errorf("%v: exit code %d is not the shells'", test.program, raw)
		}
	}
}

func TestDecode(t *testing.T) {
	for code := range 256 {
		c, s := Decode(code)
		switch {
		case code > 128 && code <= 192 && (c != 0 || int(s) != code-128),
			(code <= 128 || code > 192) && (c != code || s != 0):
			t.Errorf("Decode(%d) = %d, %d", code, c, s)
		}
	}
	if c, s := Outcome(1<<30, 143); c != 0 || s != syscall.SIGTERM {
		t.Errorf("without a word: %d, %d", c, s)
	}
}

// running starts cmd and waits for its program to say that it runs. in is its
// stdin, lines what it prints then.
func running(t *testing.T, cmd *exec.Cmd) (in io.Closer, lines *bufio.Scanner) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines = bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("%v does not run", cmd.Args)
	}
	return in, lines
}

func TestInitForwardsSignals(t *testing.T) {
	cmd := asInit(t, "signals")
	_, lines := running(t, cmd)
	for n := 1; n <= maxSignal; n++ {
		switch s := syscall.Signal(n); s {
		case syscall.SIGKILL, syscall.SIGSTOP: // nobody catches these
		case syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF: // init's own
		case syscall.SIGTERM: // last
		case 32, 33, 34: // the C library's, left alone by Go
		default:
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			if !lines.Scan() || lines.Text() != strconv.Itoa(n) {
				t.Fatalf("signal %d: the program saw %q", n, lines.Text())
			}
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// As PID 1 this program would ignore SIGTERM.
func TestInitGivesDefaultActionBack(t *testing.T) {
	cmd := asInit(t, "wait")
	running(t, cmd)
	cmd.Process.Signal(syscall.SIGTERM)
	raw := exitCode(t, cmd.Process.Pid)
	if code, signal := Outcome(cmd.Process.Pid, raw); signal != syscall.SIGTERM {
		t.Errorf("ended by code %d signal %d", code, signal)
	}
}

func TestInitReapsOrphans(t *testing.T) {
	if err := asInit(t, "orphan").Run(); err != nil {
		t.Error(err)
	}
}

func TestInitEndsWithItsProgramAndTakesAllWithIt(t *testing.T) {
	held, holder, err := os.Pipe() // its write end is open as long as anyone lives
	if err != nil {
		t.Fatal(err)
	}
	in, keep, err := os.Pipe() // the orphan waits for its end
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	cmd := asInit(t, "leave")
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	// A file, since for a writer Run would wait until the orphan closes its end.
	cmd.Stdin, cmd.Stdout, cmd.ExtraFiles = in, null, []*os.File{holder}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	holder.Close()
	if _, err := held.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v", err)
	}
}

func TestInitStartsItsProgramInASession(t *testing.T) {
	f := output(t, asInit(t, "session"))
	if len(f) != 3 || f[0] == "1" || f[1] != f[0] || f[2] != f[0] {
		t.Errorf("pid, session, group: %v", f)
	}
}

func TestProgramThatCannotRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "plain")
	garbage := filepath.Join(dir, "garbage")
	for path, mode := range map[string]os.FileMode{plain: 0o644, garbage: 0o755} {
		if err := os.WriteFile(path, []byte("\x00no program"), mode); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		argv []string
		code int
	}{
		{nil, 127},
		{[]string{Separator}, 127},
		{[]string{"/nowhere/program"}, 127},
		{[]string{"no-such-program"}, 127},
		{[]string{Separator, plain}, 126},
		{[]string{garbage}, 126},
	}
	for _, command := range []string{"init", "confine"} {
		for _, test := range tests {
			cmd := contained(t, 0, append([]string{command}, test.argv...)...)
			cmd.ExtraFiles = []*os.File{nil, filter(t, forbidding())}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != test.code {
				t.Errorf("%s %v: exit code %d, want %d", command, test.argv, code, test.code)
			}
			if n := len(test.argv); n > 0 && test.argv[n-1] != Separator && !bytes.Contains(stderr.Bytes(), []byte(test.argv[n-1])) {
				t.Errorf("%s %v says: %s", command, test.argv, &stderr)
			}
		}
	}
}

func TestInitPassesSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := asInit(t, "sockets")
	cmd.ExtraFiles = []*os.File{file}
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_PID=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if string(answer) != "served\n" {
		t.Errorf("answer %q, %v", answer, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// A command that is not PID 1 has nobody to reap for.
func TestInitOutsideOfANamespaceBecomesTheProgram(t *testing.T) {
	cmd := exec.Command(self, "init", Separator, self, "program", "session")
	f := output(t, cmd)
	if f[0] != fmt.Sprint(cmd.Process.Pid) {
		t.Errorf("the program has pid %s, its command had %d", f[0], cmd.Process.Pid)
	}
}
