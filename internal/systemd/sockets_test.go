package systemd

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// socketOf is a listener's file, of the kind whose Fd makes it blocking.
func socketOf(t *testing.T) *os.File {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestStore(t *testing.T) {
	conn := manager(t)
	file := socketOf(t)
	if err := (Notifier{}).Store("web.http.0", file); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	message, control := make([]byte, 4096), make([]byte, 4096)
	n, size, _, _, err := conn.ReadMsgUnix(message, control)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(message[:n]); got != "FDSTORE=1\nFDPOLL=0\nFDNAME=web.http.0" {
		t.Errorf("says %q", got)
	}
	parsed, err := unix.ParseSocketControlMessage(control[:size])
	if err != nil || len(parsed) != 1 {
		t.Fatalf("%v, %v", parsed, err)
	}
	fds, err := unix.ParseUnixRights(&parsed[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("%v, %v", fds, err)
	}
	defer unix.Close(fds[0])
	if stored := inode(t, fds[0]); stored != inode(t, int(file.Fd())) {
		t.Errorf("another file is stored: %d", stored)
	}
}

// A store that switches the socket to blocking would hang whoever accepts on it.
func TestStoreLeavesTheSocketNonBlocking(t *testing.T) {
	conn := manager(t)
	file := socketOf(t)
	if err := (Notifier{}).Store("web.http.0", file); err != nil {
		t.Fatal(err)
	}
	hear(t, conn)
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("flags %#x, %v", flags, err)
		}
	})
}

func TestUnstore(t *testing.T) {
	conn := manager(t)
	if err := (Notifier{}).Unstore("web.http.0"); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, conn); got != "FDSTOREREMOVE=1\nFDNAME=web.http.0" {
		t.Errorf("says %q", got)
	}
}

func TestStoreWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	file := socketOf(t)
	if err := (Notifier{}).Store("x", file); err != nil {
		t.Error(err)
	}
	t.Setenv("NOTIFY_SOCKET", t.TempDir()+"/none")
	if err := (Notifier{}).Store("x", file); err == nil || !strings.HasPrefix(err.Error(), "store x: notify service manager: ") {
		t.Error(err)
	}
	file.Close()
	if err := (Notifier{}).Store("x", file); err == nil {
		t.Error("a closed file is stored")
	}
}

// TestTakeSockets starts itself as systemd would: three sockets from descriptor
// 3 on, and LISTEN_PID, which only the new process can have.
func TestTakeSockets(t *testing.T) {
	command := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run=TestTakenSockets`, os.Args[0])
	command.Env = append(os.Environ(), "TAKE_SOCKETS=1", "LISTEN_FDS=3", "LISTEN_FDNAMES=web:web.http.0:web")
	command.ExtraFiles = []*os.File{socketOf(t), socketOf(t), socketOf(t)}
	if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestTakenSockets is the new process of TestTakeSockets.
func TestTakenSockets(t *testing.T) {
	if os.Getenv("TAKE_SOCKETS") == "" {
		if taken := TakeSockets(); len(taken) != 0 {
			t.Errorf("taken from nowhere: %v", taken)
		}
		return
	}
	taken := TakeSockets()
	if len(taken) != 2 || len(taken["web"]) != 2 || len(taken["web.http.0"]) != 1 {
		t.Fatalf("taken: %v", taken)
	}
	for name, files := range taken {
		for _, file := range files {
			checkTaken(t, name, file)
		}
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if _, set := os.LookupEnv(name); set {
			t.Errorf("%s is left", name)
		}
	}
}

func checkTaken(t *testing.T, name string, file *os.File) {
	t.Helper()
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s would be inherited: %#x, %v", name, flags, err)
		}
		if accepts, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || accepts != 1 {
			t.Errorf("%s does not listen: %v", name, err)
		}
	})
}
