package service

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain is also a process that looks like an example gateway.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "example-gateway" {
		select {}
	}
	os.Exit(m.Run())
}

// Only a good answer counts: not a refused connection, not a 503.
func TestAnswers(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 5 || r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	address := srv.Listener.Addr().String()
	srv.Start()
	defer srv.Close()
	if err := Answers(t.Context(), address); err != nil || asked.Load() != 5 {
		t.Errorf("after %d questions: %v", asked.Load(), err)
	}
	srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := Answers(ctx, address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestAskGivesUpOnSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // its backlog accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := ask(l.Addr().String()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("says: %v", err)
	}
}

func TestGatewayIsFoundByItsCommandLine(t *testing.T) {
	const address = "127.0.0.1:1"
	if pid, err := gatewayPid(address); err == nil {
		t.Fatalf("found %d before it runs", pid)
	}
	// What only names it is not it.
	other := exec.Command("/proc/self/exe", "example-gateway", "--other", "podman", "run", "example-gateway", "--address", address)
	gateway := exec.Command("/proc/self/exe", "example-gateway", "--address", address)
	for _, cmd := range []*exec.Cmd{other, gateway} {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { cmd.Process.Kill(); cmd.Wait() }()
	}
	if pid, err := gatewayPid(address); err != nil || pid != gateway.Process.Pid {
		t.Errorf("found %d, %v; it is %d", pid, err, gateway.Process.Pid)
	}
	pidfd, err := unix.PidfdOpen(gateway.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	gateway.Process.Kill()
	if err := dead(pidfd); err != nil {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	var before, after Usage
	if err := before.Add(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	for busy := processorTime(t) + 30*time.Millisecond; processorTime(t) < busy; { // work
	}
	for range 20 { // waits: each ends by something
		time.Sleep(time.Millisecond)
	}
	if err := after.Add(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if after.CPU-before.CPU < 20*time.Millisecond || after.Switches-before.Switches < 20 ||
		after.RSS < after.PSS || after.PSS < 1<<20 || len(after.Processes) != 1 {
		t.Errorf("%+v, before %+v", after, before)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func TestWhatIsWrittenIsRemoved(t *testing.T) {
	dir := t.TempDir()
	u := Activated("x", "/bin/true", Program{Address: "127.0.0.1:1"})
	u.files[u.Name+".d/bench.conf"] = "text"
	if err := u.Write(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range u.files {
		if text, err := os.ReadFile(dir + "/" + name); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if err := u.Remove(dir); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
