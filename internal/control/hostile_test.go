package control

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// raw sends text as it is and returns the answer's status and body; 0: the
// connection was closed without one.
func raw(t *testing.T, path, text string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, text) // the server may close before it has read it all
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("no answer and no end to %.60q", text)
		}
		return 0, ""
	}
	defer response.Body.Close()
	all, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(all)
}

func post(route, body string) string {
	return "POST " + route + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

func TestHostileRequests(t *testing.T) {
	d := newFake()
	lim := defaultLimits()
	lim.receive = 250 * time.Millisecond
	path, _ := serving(t, d, lim, everybody)
	tests := []struct {
		name, request string
		status        int
		says          string
	}{
		{"no route", post("/v1/nothing", ""), 404, "no such route"},
		{"wrong method", "GET /v1/reload HTTP/1.1\r\nHost: x\r\n\r\n", 404, "no such route"},
		{"no name", post("/v1/gateways//start", ""), 0, ""},
		{"unknown field", post("/v1/reload", `{"force":true}`), 400, "force"},
		{"unknown parameter", post("/v1/reload?force=1", ""), 400, "force=1"},
		{"no JSON", post("/v1/reload", `now`), 400, "read request: invalid"},
		{"two values", post("/v1/reload", `{}{}`), 400, "more than one"},
		{"misspelt field", post("/v1/gateways/web/deploy", `{"rootsf":"/v2"}`), 400, "rootsf"},
		{"field of another request", post("/v1/gateways/web/rollback", `{"rootfs":"/v2"}`), 400, "rootfs"},
		{"no duration", post("/v1/gateways/web/deploy", `{"canary_for":60}`), 400, "canary_for"},
		{"negative duration", post("/v1/gateways/web/deploy", `{"canary_for":"-1m"}`), 400, "negative"},
		{"large deploy", post("/v1/gateways/web/deploy", `{"rootfs":"`+strings.Repeat("x", 1<<20)+`"}`), 400, "too large"},
		{"large body", post("/v1/reload", `{"x":"`+strings.Repeat("x", 1<<20)+`"}`), 400, "too large"},
		{"body that does not come", "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{", 400, "timeout"},
		{"body without a length", chunked(4 << 20), 400, "too large"},
		{"header that does not end", "GET /v1/status HTTP/1.1\r\nHost: x\r\n", 0, ""},
		{"large header", "GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", 431, ""},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00", 0, ""},
		{"nothing", "", 0, ""},
	}
	for _, test := range tests {
		status, body := raw(t, path, test.request)
		if test.name == "no name" {
			if status < 300 {
				t.Errorf("%s: %d", test.name, status)
			}
			continue
		}
		if test.name == "no HTTP" && status == 400 {
			continue
		}
		if status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s: %d %.100q, want %d and %q", test.name, status, body, test.status, test.says)
		}
	}
	select {
	case call := <-d.calls:
		t.Errorf("the daemon was asked for %q", call)
	default:
	}
	if status, _ := raw(t, path, post("/v1/reload", ` {} `)); status != 204 {
		t.Errorf("an honest request afterwards: %d", status)
	}
}

// chunked is a request whose body says of no byte that it is the last.
func chunked(bytes int) string {
	const chunk = "1000\r\n"
	text := "POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + `{"x":"` + strings.Repeat("x", 4096-6) + "\r\n"
	return text + strings.Repeat(chunk+strings.Repeat("x", 4096)+"\r\n", bytes>>12)
}

// A client that asks for ever and reads nothing has its place for as long as an
// answer may take to be sent, and no longer.
func TestAnswersThatNobodyReads(t *testing.T) {
	lim := defaultLimits()
	lim.connections, lim.send = 1, 100*time.Millisecond
	path, _ := serving(t, newFake(), lim, everybody)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	for err == nil {
		_, err = io.WriteString(conn, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection does not end")
	}
	awaitPlace(t, path)
}

func TestConnectionsAreLimited(t *testing.T) {
	lim := defaultLimits()
	lim.connections = 2
	path, _ := serving(t, newFake(), lim, everybody)
	var silent []net.Conn
	for range lim.connections {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, conn)
	}
	if _, err := Dial(path).Status(t.Context()); err == nil {
		t.Error("one more than the limit is served")
	}
	for _, conn := range silent {
		conn.Close()
	}
	awaitPlace(t, path)
}

// awaitPlace waits until a client is answered again.
func awaitPlace(t *testing.T, path string) {
	t.Helper()
	limit := time.Now().Add(10 * time.Second)
	for {
		if _, err := Dial(path).Status(t.Context()); err == nil {
			return
		} else if time.Now().After(limit) {
			t.Fatalf("slots do not come back: %v", err)
		}
	}
}

func TestStrangersAreNotHeard(t *testing.T) {
	d := newFake()
	var asked uint32
	path, end := serving(t, d, defaultLimits(), func(uid uint32) bool { asked = uid; return false })
	if err := Dial(path).Reload(t.Context()); err == nil {
		t.Error("a stranger got an answer")
	}
	end()
	if asked != uint32(os.Getuid()) || len(d.calls) > 0 {
		t.Errorf("uid %d asked, calls %d", asked, len(d.calls))
	}
	if me := uint32(os.Getuid()); !ourselvesOrRoot(me) || !ourselvesOrRoot(0) || ourselvesOrRoot(me+1) {
		t.Error("wrong ones are allowed")
	}
}

// Another user who finds a socket with a wide mode is told from us by the kernel.
func TestAnotherUserIsNotHeard(t *testing.T) {
	testenv.NeedRoot(t)
	d := newFake()
	path, _ := serving(t, d, defaultLimits(), ourselvesOrRoot)
	for dir := filepath.Dir(path); dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const stranger = 65533
	if err := connectAs(stranger, path); !errors.Is(err, syscall.EACCES) {
		t.Errorf("by its mode: %v", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := connectAs(stranger, path); !closed(err) {
		t.Errorf("by its uid: %v", err)
	}
	if len(d.calls) > 0 {
		t.Error("the daemon was asked")
	}
}

// closed tells that the other side has ended the connection.
func closed(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// connectAs sends a request from a thread of another user. The thread ends with
// its goroutine, which never unlocks it.
func connectAs(uid uintptr, path string) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid); errno != 0 {
			done <- errno
			return
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		if _, err = io.WriteString(conn, post("/v1/reload", "")); err == nil {
			_, err = http.ReadResponse(bufio.NewReader(conn), nil)
		}
		done <- err
	}()
	return <-done
}
