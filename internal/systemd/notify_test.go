package systemd

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// manager is a fake service manager.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	path := t.TempDir() + "/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

func hear(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	buffer := make([]byte, 8192)
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func TestNotifier(t *testing.T) {
	conn := manager(t)
	var n Notifier
	for _, test := range []struct {
		send func() error
		want string
	}{
		{func() error { return n.Ready("3 of 3 ready") }, "READY=1\nSTATUS=3 of 3 ready"},
		{func() error { return n.Status("a\nREADY=1\r\t\x1b[2J\x00\xff") }, "STATUS=a READY=1  \ufffd[2J\ufffd\ufffd"},
		{func() error { return n.Stopping("") }, "STOPPING=1\nSTATUS="},
		{func() error { return n.Extend(90 * time.Second) }, "EXTEND_TIMEOUT_USEC=90000000"},
		{func() error { return n.Extend(-time.Second) }, "EXTEND_TIMEOUT_USEC=1000000"},
	} {
		if err := test.send(); err != nil {
			t.Fatal(err)
		}
		if got := hear(t, conn); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestNotifierReloading(t *testing.T) {
	conn := manager(t)
	if err := (Notifier{}).Reloading("reading"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(hear(t, conn), "\n")
	if len(lines) != 3 || lines[0] != "RELOADING=1" || lines[2] != "STATUS=reading" {
		t.Fatalf("%q", lines)
	}
	usec, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "MONOTONIC_USEC="), 10, 64)
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	if age := now.Nano()/1000 - usec; err != nil || age < 0 || age > 20e6 {
		t.Errorf("%s is %d µs old: %v", lines[1], age, err)
	}
}

func TestNotifierWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := (Notifier{}).Ready("x"); err != nil {
		t.Error(err)
	}
	t.Setenv("NOTIFY_SOCKET", t.TempDir()+"/none")
	if err := (Notifier{}).Ready("x"); err == nil || !strings.HasPrefix(err.Error(), "notify service manager: ") {
		t.Error(err)
	}
}

func TestStatusIsCutBetweenCharacters(t *testing.T) {
	for _, text := range []string{strings.Repeat("ü", 600), "x" + strings.Repeat("ü", 600), strings.Repeat("漢", 400)} {
		got := oneLine(text, maxStatus)
		if len(got) > maxStatus || len(got) < maxStatus-6 || !strings.HasSuffix(got, "…") || strings.ToValidUTF8(got, "?") != got {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}

// A secret is not in what systemctl shows, neither whole nor cut off with the rest.
func TestStatusIsRedacted(t *testing.T) {
	conn := manager(t)
	secrets := &redact.Set{}
	secrets.Add("token", []byte("canary\nof two lines"))
	n := Notifier{Secrets: secrets}
	long := strings.Repeat("x", maxStatus-10)
	for text, want := range map[string]string{
		"web: canary\nof two lines!":  "STATUS=web: [redacted token]!",
		long + "canary\nof two lines": "STATUS=" + long + "[redact…",
	} {
		for _, send := range []func(string) error{n.Ready, n.Status, n.Stopping, n.Reloading} {
			if err := send(text); err != nil {
				t.Fatal(err)
			}
			if got := hear(t, conn); !strings.HasSuffix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}
