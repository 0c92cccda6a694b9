package example

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain is also the gateway itself.
func TestMain(m *testing.M) {
	if os.Getenv("EXAMPLE_ADDRESS") == "" {
		os.Exit(m.Run())
	}
	linger, _ := time.ParseDuration(os.Getenv("EXAMPLE_LINGER")) // none: 0
	if err := Run(context.Background(), Options{Address: os.Getenv("EXAMPLE_ADDRESS"), Log: os.Stdout, Linger: linger}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

type gateway struct {
	*exec.Cmd
	url string
	log *bufio.Scanner
}

// start runs the gateway as a process, on a free port unless it is given sockets.
func start(t *testing.T, change func(*exec.Cmd)) *gateway {
	t.Helper()
	g := &gateway{Cmd: exec.Command("/proc/self/exe")}
	g.Env = []string{"EXAMPLE_ADDRESS=127.0.0.1:0", "GORACE=atexit_sleep_ms=0"}
	g.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if change != nil {
		change(g.Cmd)
	}
	out, err := g.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Process.Kill(); g.Wait() })
	g.log = bufio.NewScanner(out)
	g.url = "http://" + strings.TrimPrefix(g.line(t), "example gateway listens on ")
	return g
}

func (g *gateway) line(t *testing.T) string {
	t.Helper()
	if !g.log.Scan() {
		t.Fatal("the gateway says nothing more")
	}
	return g.log.Text()
}

// get asks on a connection of its own.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestAnswers(t *testing.T) {
	g := start(t, nil)
	host, _ := os.Hostname()
	tests := []struct {
		path   string
		status int
		says   string
	}{
		{"/", 200, fmt.Sprintf("%s, pid %d,", host, g.Process.Pid)},
		{"/", 200, "request 2"},
		{"/healthz", 200, "ok\n"},
		{"/slow?for=1ms", 200, "after 1ms"},
		{"/slow", 400, "for="},
		{"/slow?for=2m", 400, "up to 1m"},
		{"/slow?for=-1s", 400, "up to 1m"},
		{"/bytes?count=3", 200, "\x00\x00\x00"},
		{"/bytes", 400, "count="},
		{"/bytes?count=-1", 400, "count="},
		{"/crash?code=256", 400, "0 to 255"},
		{"/crash?code=1&signal=SEGV", 400, "not both"},
		{"/crash?signal=NONE", 400, "SEGV"},
		{"/nothing", 404, ""},
	}
	for _, test := range tests {
		if status, body := get(t, g.url+test.path); status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s: %d %q, want %d and %q", test.path, status, body, test.status, test.says)
		}
	}
	g.Process.Signal(syscall.SIGINT)
	if err := g.Wait(); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
}

func TestCrash(t *testing.T) {
	contained := func(cmd *exec.Cmd) { // PID 1 of a pid namespace
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWPID
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	}
	tests := []struct {
		query  string
		change func(*exec.Cmd)
		code   int
		signal syscall.Signal
	}{
		{"", nil, 1, 0},
		{"?code=3", nil, 3, 0},
		{"?code=0", nil, 0, 0},
		{"?signal=SEGV", nil, 0, syscall.SIGSEGV},
		{"?signal=sigterm", nil, 0, syscall.SIGTERM},
		{"?signal=KILL", nil, 0, syscall.SIGKILL},
		{"?signal=SEGV", contained, 0, syscall.SIGSEGV},
		{"?signal=TERM", contained, 128 + 15, 0},
		{"?signal=KILL", contained, 128 + 9, 0},
	}
	for _, test := range tests {
		g := start(t, test.change)
		response, err := http.Post(g.url+"/crash"+test.query, "text/plain", strings.NewReader(strings.Repeat("x", 1<<19)))
		if err != nil {
			t.Errorf("%s: %v", test.query, err)
			continue
		}
		if body, err := io.ReadAll(response.Body); !strings.HasPrefix(string(body), "crashing ") {
			t.Errorf("%s: answer %q, %v", test.query, body, err)
		}
		response.Body.Close()
		g.Wait()
		status := g.ProcessState.Sys().(syscall.WaitStatus)
		if status.Signaled() != (test.signal != 0) || status.Signaled() && status.Signal() != test.signal || !status.Signaled() && status.ExitStatus() != test.code {
			t.Errorf("%s (contained: %v): %v, want code %d or signal %d", test.query, test.change != nil, g.ProcessState, test.code, test.signal)
		}
	}
}

// On SIGTERM the request in flight is answered, with the word that no other
// should follow, and nobody new is taken.
func TestEndsRequestsInFlight(t *testing.T) {
	g := start(t, nil)
	address := strings.TrimPrefix(g.url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The first answer proves that the connection has been accepted.
	io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	answers := bufio.NewReader(conn)
	if r, err := http.ReadResponse(answers, nil); err != nil || r.Close {
		t.Fatalf("%v, %v", r, err)
	} else {
		io.Copy(io.Discard, r.Body)
	}
	io.WriteString(conn, "GET /slow?for=300ms HTTP/1.1\r\nHost: x\r\n\r\n")
	if line := g.line(t); !strings.Contains(line, "in 300ms") {
		t.Fatalf("says %q", line)
	}
	g.Process.Signal(syscall.SIGTERM)
	if line := g.line(t); !strings.Contains(line, "ends") {
		t.Fatalf("says %q", line)
	}
	r, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if !strings.HasPrefix(string(body), "after") || err != nil || !r.Close {
		t.Errorf("answer %q, %v, connection closes: %v", body, err, r.Close)
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the end: %v", err)
	}
}

func TestServesOnInheritedSocketAndNotifies(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "example") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	g := start(t, func(cmd *exec.Cmd) {
		cmd.ExtraFiles = []*os.File{file}
		cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_PID=1", "NOTIFY_SOCKET="+path)
		// As PID 1 it knows what LISTEN_PID will be.
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWPID
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	})
	file.Close()
	l.Close()
	if want := "http://" + l.Addr().String(); g.url != want {
		t.Errorf("serves on %s, not on %s", g.url, want)
	}
	expect := func(want string) {
		t.Helper()
		buffer := make([]byte, 64)
		n, err := notify.Read(buffer)
		if err != nil || string(buffer[:n]) != want {
			t.Errorf("told %q, %v; want %q", buffer[:n], err, want)
		}
	}
	expect("READY=1")
	if status, _ := get(t, g.url+"/healthz"); status != 200 {
		t.Error(status)
	}
	g.Process.Signal(syscall.SIGTERM)
	expect("STOPPING=1")
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAddressThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := Run(t.Context(), Options{Address: l.Addr().String()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("says: %v", err)
	}
}
