package listen

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The socket that a holder inherits.
const inherited = 3

// hold is a program that has a slot and does what it is told on its standard input, line
// by line, with an answer to each.
func hold() {
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		err := obey(orders.Text())
		if err == nil {
			err = io.EOF
		}
		os.Stdout.WriteString(err.Error() + "\n")
	}
}

func obey(order string) error {
	const everything = 1
	switch order, value, _ := strings.Cut(order, " "); order {
	case "shutdown":
		return unix.Shutdown(inherited, unix.SHUT_RDWR)
	case "block":
		return unix.SetNonblock(inherited, false)
	case "listen": // a queue for one
		return unix.Listen(inherited, 0)
	case "mark":
		return slotMark(5).set(inherited)
	case "attach":
		filter := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
		return unix.SetsockoptSockFprog(inherited, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
			&unix.SockFprog{Len: 1, Filter: &filter})
	case "detach":
		return unix.SetsockoptInt(inherited, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, everything)
	case "unlock":
		return unix.SetsockoptInt(inherited, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 0)
	case "defer":
		return unix.SetsockoptInt(inherited, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 10)
	case "join", "bind": // from outside
		return outside(value, order == "join")
	case "serve":
		go serveAs(value)
	}
	return nil
}

// outside listens without a slot.
func outside(address string, join bool) error {
	at, err := resolve(context.Background(), address)
	if err != nil {
		return err
	}
	fd, err := newSocket(at, join)
	if err != nil {
		return err
	}
	return unix.Listen(fd, 5)
}

func serveAs(name string) {
	l, err := net.FileListener(os.NewFile(inherited, "slot"))
	if err != nil {
		panic(err)
	}
	(&server{Listener: l, name: name}).serve()
}

// holder is a launch whose program may be hostile.
type holder struct {
	*Slot
	orders  io.WriteCloser
	answers *bufio.Scanner
	pid     int
}

func startHolder(t *testing.T, s *Slot) *holder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "holder")
	if s != nil {
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c.ExtraFiles = append(c.ExtraFiles, f)
	}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	h := &holder{s, in, bufio.NewScanner(out), c.Process.Pid}
	t.Cleanup(func() { in.Close(); _ = c.Process.Kill(); _ = c.Wait() })
	return h
}

// does has the program do something, and returns what came of it.
func (h *holder) does(t *testing.T, order string) string {
	t.Helper()
	if _, err := io.WriteString(h.orders, order+"\n"); err != nil {
		t.Fatal(err)
	}
	if !h.answers.Scan() {
		t.Fatalf("%s: the program has ended", order)
	}
	return strings.TrimSuffix(h.answers.Text(), io.EOF.Error())
}

// must is does of what cannot fail.
func (h *holder) must(t *testing.T, order string) {
	t.Helper()
	if fault := h.does(t, order); fault != "" {
		t.Fatalf("%s: %s", order, fault)
	}
}

// end kills the program, as far as it is there yet.
func (h *holder) end(t *testing.T) {
	t.Helper()
	if err := unix.Kill(h.pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.answers.Scan() // the end of its output
	if h.Slot != nil {
		h.Release()
	}
}
