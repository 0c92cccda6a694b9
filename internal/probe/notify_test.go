package probe

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// listen makes a Notify and a connection to it.
func listen(t *testing.T) (*Notify, *net.UnixConn) {
	t.Helper()
	path := t.TempDir() + "/notify"
	n, err := ListenNotify(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return n, conn
}

func say(t *testing.T, conn *net.UnixConn, datagram string) {
	t.Helper()
	if _, err := conn.Write([]byte(datagram)); err != nil {
		t.Fatal(err)
	}
}

// barrier returns once all datagrams before it have been read: its descriptor,
// which nobody takes, is closed by the reading, as in sd_notify_barrier(3).
func barrier(t *testing.T, conn *net.UnixConn) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if err := unix.Sendmsg(sysfd(t, conn), []byte("BARRIER=1"), unix.UnixRights(int(write.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
	write.Close()
	read.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := read.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the descriptor of the barrier stays open: %v", err)
	}
	say(t, conn, "") // read only after the one with the barrier was parsed
	for empty := false; !empty; {
		queued, err := unix.IoctlGetInt(sysfd(t, conn), unix.TIOCOUTQ)
		if err != nil {
			t.Fatal(err)
		}
		empty = queued == 0
	}
}

func sysfd(t *testing.T, conn *net.UnixConn) (fd int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(f uintptr) { fd = int(f) })
	return fd
}

func isReady(n *Notify) bool {
	select {
	case <-n.Ready():
		return true
	default:
		return false
	}
}

func TestNotifyReady(t *testing.T) {
	n, conn := listen(t)
	say(t, conn, "STATUS=warming the cache")
	barrier(t, conn)
	if isReady(n) || n.Status() != "warming the cache" {
		t.Fatalf("ready %v, status %q", isReady(n), n.Status())
	}
	say(t, conn, "MAINPID=1\nREADY=1\nSTATUS=serving")
	if err := n.Probe(soon(t)); err != nil {
		t.Error(err)
	}
	barrier(t, conn)
	say(t, conn, "READY=1") // again: no panic
	say(t, conn, "STATUS=")
	barrier(t, conn)
	if !isReady(n) || n.Status() != "" {
		t.Errorf("ready %v, status %q", isReady(n), n.Status())
	}
}

func TestNotifyTimeout(t *testing.T) {
	n, conn := listen(t)
	say(t, conn, "STATUS=warming\x1b[2J")
	barrier(t, conn)
	err := n.Probe(briefly(t))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "notify: no READY=1: no answer within ") || !strings.HasSuffix(err.Error(), `; its status: warming\x1b[2J`) {
		t.Error(err)
	}
}

func TestNotifyHostile(t *testing.T) {
	n, conn := listen(t)
	for _, datagram := range []string{
		"", "\n", "\x00", "READY", "READY=0", "READY=11", " READY=1", "ready=1", "XREADY=1", "READY=1\x00", "READY=1\r\n", "STOPPING=1", "WATCHDOG=1",
		strings.Repeat("x", maxDatagram-8) + "\nREADY=1\n", // longer than the limit: dropped as a whole
		"READY=1\n" + strings.Repeat("x", 100_000),
		strings.Repeat("\n", maxDatagram), string([]byte{0xff, 0xfe, 0x80, 0}),
	} {
		say(t, conn, datagram)
	}
	barrier(t, conn)
	if isReady(n) {
		t.Error("ready by nonsense")
	}
	say(t, conn, strings.Repeat("A=b\n", 1000)+"STATUS="+"\x1b]0;owned\x07\u202e\nREADY=1\nFDSTORE=1")
	barrier(t, conn)
	if !isReady(n) || strings.ContainsFunc(n.Status(), unicode.IsControl) {
		t.Errorf("ready %v, status %q", isReady(n), n.Status())
	}
}

func TestNotifyFloodIsTaken(t *testing.T) {
	n, conn := listen(t)
	for range 5000 {
		say(t, conn, "STATUS=flood") // a queue that nobody reads would block here
	}
	say(t, conn, "READY=1")
	if err := n.Probe(soon(t)); err != nil {
		t.Error(err)
	}
}

func TestNotifyClose(t *testing.T) {
	path := t.TempDir() + "/notify"
	n, err := ListenNotify(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := ListenNotify(path, nil); err == nil {
		t.Error("the socket of another launch was taken over")
	}
	waits := make(chan error)
	go func() { waits <- n.Probe(t.Context()) }()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waits; err == nil {
		t.Error("a probe of a closed socket is good")
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := ListenNotify("/"+strings.Repeat("x", 120), nil); err == nil || !strings.Contains(err.Error(), "107 bytes") {
		t.Error(err)
	}
}

func FuzzNotify(f *testing.F) {
	f.Add([]byte("READY=1\nSTATUS=x"))
	f.Add([]byte("STATUS=\xff\x1b\nSTATUS=\u202e"))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		m := parse(datagram, nil)
		lines := bytes.Split(datagram, []byte("\n"))
		says := false
		for _, l := range lines {
			says = says || string(l) == "READY=1"
		}
		if m.ready != says {
			t.Errorf("ready %v", m.ready)
		}
		if !utf8.ValidString(m.status) || strings.ContainsFunc(m.status, unicode.IsControl) || len(m.status) > maxExcerpt+12 {
			t.Errorf("status %q", m.status)
		}
	})
}
