package example

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// client is one connection.
type client struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

func dial(t *testing.T, g *gateway) *client {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second)) // else a fault hangs
	return &client{t, conn, bufio.NewReader(conn)}
}

// asks sends a request and says whether the answer was the connection's last.
func (c *client) asks() (last bool) {
	c.t.Helper()
	io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	r, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if body, err := io.ReadAll(r.Body); string(body) != "ok\n" || err != nil {
		c.t.Fatalf("answer %q, %v", body, err)
	}
	return r.Close
}

// A connection without a request, and one between two of them, are served after
// SIGTERM; the gateway ends when both are closed, long before it need to.
func TestServesOpenConnectionsAfterSIGTERM(t *testing.T) {
	g := start(t, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "EXAMPLE_LINGER=1h") })
	silent := dial(t, g)
	between := dial(t, g)
	if between.asks() { // accepted after the silent one
		t.Error("the first answer is the last")
	}
	g.Process.Signal(syscall.SIGTERM)
	if line := g.line(t); !strings.Contains(line, "ends") {
		t.Fatalf("says %q", line)
	}
	// Whoever connects now and is refused knows that the listener is closed.
	for {
		conn, err := net.Dial("tcp", silent.RemoteAddr().String())
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if err == nil {
			conn.Close()
		}
	}
	if !silent.asks() || !between.asks() {
		t.Fatal("an answer after SIGTERM does not say that the connection closes")
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestClosesWhatStaysSilentAfterSIGTERM(t *testing.T) {
	g := start(t, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "EXAMPLE_LINGER=20ms") })
	c := dial(t, g)
	c.asks()
	g.Process.Signal(syscall.SIGTERM)
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// The socket that others hold, too, listens on: only the copy is closed.
func TestLeavesTheInheritedSocketAlone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, func(cmd *exec.Cmd) {
		cmd.ExtraFiles = []*os.File{file}
		cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_PID=1", "EXAMPLE_LINGER=1h")
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWPID // PID 1, as LISTEN_PID says
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	})
	file.Close()
	g.Process.Signal(syscall.SIGTERM)
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	c := dial(t, g)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.RemoteAddr().String() != c.LocalAddr().String() {
		t.Error("accepted another one")
	}
}
