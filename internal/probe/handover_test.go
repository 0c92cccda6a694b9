package probe

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What was said to an earlier image is known to the next, which hears the rest.
func TestNotifyOverImages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	first, err := ListenNotify(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		c, err := net.Dial("unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	next := func(n *Notify) *Notify {
		s, conn := n.State()
		raw, err := conn.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var file *os.File
		if err := raw.Control(func(fd uintptr) {
			if number, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3); err == nil {
				file = os.NewFile(uintptr(number), "notify")
			}
		}); err != nil {
			t.Fatal(err)
		}
		_ = n.conn.Close() // the earlier image is no more
		<-n.done
		again, err := ResumeNotify(path, nil, s, file)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	n := next(first)
	select {
	case <-n.Ready():
		t.Error("ready unasked")
	default:
	}
	say("STATUS=half way\nREADY=1")
	if err := n.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	n = next(n)
	if err := n.Probe(t.Context()); err != nil || n.Status() != "half way" {
		t.Errorf("%v, status %q", err, n.Status())
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left")
	}
}
