package listen

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// patience is far more than anything here takes.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "holder" {
		hold()
		return
	}
	goleak.VerifyTestMain(m)
}

// begin opens a port for a test, and says what it logs.
func begin(t *testing.T, address string, o ...func(*Options)) *Port {
	t.Helper()
	options := Options{Address: address, Log: func(msg string, err error) { t.Log(msg+":", err) }}
	for _, set := range o {
		set(&options)
	}
	p, err := Open(within(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func within(t *testing.T) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), patience)
	t.Cleanup(stop)
	return ctx
}

func take(t *testing.T, p *Port) *Slot {
	t.Helper()
	s, err := p.Take(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// launch takes a slot and serves on it: whoever connects is told name.
func launch(t *testing.T, p *Port, name string) *server {
	t.Helper()
	s := &server{Slot: take(t, p), name: name}
	f, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s.Listener, err = net.FileListener(f); err != nil {
		t.Fatal(err)
	}
	go s.serve()
	t.Cleanup(s.end)
	return s
}

type server struct {
	*Slot
	net.Listener
	name string
}

func (s *server) serve() {
	for {
		c, err := s.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			fmt.Fprint(c, s.name)
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = c.Read(make([]byte, 1))
		}()
	}
}

// end is that of a launch.
func (s *server) end() {
	s.Close()
	s.Release()
}

// who connects as any client and returns who answers.
func who(t *testing.T, address string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, c)
}

func answer(t *testing.T, c net.Conn) string {
	t.Helper()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	b := make([]byte, 100)
	n, err := c.Read(b)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return string(b[:n])
}

func dial(t *testing.T, s *Slot) net.Conn {
	t.Helper()
	c, err := s.Dial(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

func nonblocking(t *testing.T, fd int) bool {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), syscall.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	return flags&unix.O_NONBLOCK != 0
}
