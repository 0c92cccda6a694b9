package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// listenJournal is the socket of a fake journald.
func listenJournal(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// receive reads one record, from the datagram or from the file that it brings.
func receive(t *testing.T, conn *net.UnixConn) (fields map[string]string, byFile bool) {
	t.Helper()
	data, oob := make([]byte, 1<<20), make([]byte, 64)
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, oobn, _, _, err := conn.ReadMsgUnix(data, oob)
	if err != nil {
		t.Fatal(err)
	}
	if oobn == 0 {
		return decode(t, data[:n]), false
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || n != 0 {
		t.Fatalf("%d bytes beside the file: %v", n, err)
	}
	return decode(t, readSealed(t, fds[0])), true
}

func readSealed(t *testing.T, fd int) []byte {
	t.Helper()
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if want := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE; err != nil || seals != want {
		t.Errorf("seals %#x, want %#x: %v", seals, want, err)
	}
	file := os.NewFile(uintptr(fd), "record")
	defer file.Close()
	b, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decode reads the native protocol as journald does.
func decode(t *testing.T, b []byte) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			t.Fatalf("no end: %.60q", b)
		}
		head := string(b[:end])
		b = b[end+1:]
		name, value, ok := strings.Cut(head, "=")
		if !ok {
			size := binary.LittleEndian.Uint64(b)
			value = string(b[8 : 8+size])
			if b[8+size] != '\n' {
				t.Fatalf("%s does not end with a newline", name)
			}
			b = b[8+size+1:]
		}
		if _, twice := fields[name]; twice {
			t.Errorf("%s twice", name)
		}
		fields[name] = value
	}
	return fields
}

func TestSocketEncodes(t *testing.T) {
	path := t.TempDir() + "/socket"
	conn := listenJournal(t, path)
	send := Socket(path)
	for _, message := range []string{"", "plain", "a\nb", "\n", "a\x00b", "\xff\xfe=\n=", "x\nPRIORITY=0\nGATEWAY=forged", strings.Repeat("x", maxText)} {
		r := Record{Message: []byte(message), Priority: journal.PriWarning, Fields: []Field{{"GATEWAY", "web"}, {"NOTE", message}}}
		if err := send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		got, byFile := receive(t, conn)
		if got["MESSAGE"] != message || got["NOTE"] != message || got["GATEWAY"] != "web" || got["PRIORITY"] != "4" || len(got) != 4 || byFile {
			t.Errorf("%.40q came as %.200q", message, got)
		}
	}
}

func TestSocketSendsAGiantAsFile(t *testing.T) {
	path := t.TempDir() + "/socket"
	conn := listenJournal(t, path)
	giant := strings.Repeat("giant\n", 1_000_000)
	if err := Socket(path)(t.Context(), Record{Message: []byte(giant)}); err != nil {
		t.Fatal(err)
	}
	if got, byFile := receive(t, conn); !byFile || got["MESSAGE"] != giant {
		t.Errorf("%d bytes, by file: %v", len(got["MESSAGE"]), byFile)
	}
}

// journald restarts, or is started after us.
func TestSocketComesBack(t *testing.T) {
	path := t.TempDir() + "/socket"
	send := Socket(path)
	r := Record{Message: []byte("hello")}
	if err := send(t.Context(), r); !errors.Is(err, ErrUnavailable) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
	first := listenJournal(t, path)
	if err := send(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	first.Close()
	if err := send(t.Context(), r); !errors.Is(err, ErrUnavailable) {
		t.Errorf("closed socket: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := listenJournal(t, path)
	if err := send(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got, _ := receive(t, second); got["MESSAGE"] != "hello" {
		t.Error(got)
	}
}

// fill makes journald's queue full with the records of strangers: of several,
// since each has its own limit beside that of the queue.
func fill(t *testing.T, path string) (n int) {
	t.Helper()
	for {
		sent := fillOnce(t, path)
		if n += sent; sent == 0 {
			return n
		}
	}
}

func fillOnce(t *testing.T, path string) (n int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	for unix.Send(fd, []byte("X=1\n"), 0) == nil {
		n++
	}
	return n
}

// With journald's queue full a send waits, without using the processor, goes
// on when there is room, and ends with its context. (A socket that is not
// connected would spin here: for it poll(2) always says that it is writable.)
func TestSocketWaitsQuietly(t *testing.T) {
	path := t.TempDir() + "/socket"
	conn := listenJournal(t, path)
	strangers := fill(t, path)
	send := Socket(path)
	result := make(chan error)
	go func() { result <- send(t.Context(), Record{Message: []byte("hello")}) }()
	before := processorTime(t)
	select {
	case err := <-result:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(300 * time.Millisecond): // the time is what is measured
	}
	if used := processorTime(t) - before; used > 100*time.Millisecond {
		t.Errorf("waiting for 300 ms took %s of processor time", used)
	}
	for range strangers {
		receive(t, conn)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
	if got, _ := receive(t, conn); got["MESSAGE"] != "hello" {
		t.Error(got)
	}
}

func TestSocketEndsWithItsContext(t *testing.T) {
	path := t.TempDir() + "/socket"
	listenJournal(t, path)
	fill(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := Socket(path)(ctx, Record{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestFieldName(t *testing.T) {
	for key, want := range map[string]string{
		"container_id": "CONTAINER_ID", "Event": "EVENT", "a.b-c d": "A_B_C_D", "_PID": "PID", "__x": "X", "9lives": "FIELD_9LIVES",
		"message": "FIELD_MESSAGE", "priority": "FIELD_PRIORITY", "": "FIELD_", "ü": "FIELD_", strings.Repeat("a", 80): strings.Repeat("A", 64),
	} {
		if got := fieldName(key); got != want {
			t.Errorf("%q: got %s, want %s", key, got, want)
		}
	}
}

func TestEvents(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range Events() {
		id := MessageID(name)
		if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" || seen[id] || seen[name] {
			t.Errorf("%s: %s", name, id)
		}
		seen[id], seen[name] = true, true
	}
	for _, name := range strings.Fields(`launch-preparing launch-created launch-started launch-ready launch-unhealthy launch-stopping launch-killing
		launch-ended launch-cleaned clean-incomplete gateway-backoff gateway-crash-looping gateway-failed gateway-ended gateway-stopped daemon-started
		daemon-ready daemon-stopping daemon-stopped config-reloaded config-rejected sweep-cleaned output-dropped runtime-chosen posture bare-warning`) {
		if !slices.Contains(Events(), name) {
			t.Errorf("%s is missing", name)
		}
	}
	if MessageID("launch-ended") != "9904a9ba5f5b4607aa557ba28b1d6d4f" {
		t.Error("ids of events are an interface and never change")
	}
	if MessageID("no-such-event") != "" {
		t.Error("an id for no event")
	}
}
