package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// images is a daemon whose Reexec cuts the connection, as an exec does, and which
// is another image afterwards. listener cuts.
type images struct {
	fake
	count   atomic.Int64
	refusal error
	cut     func()
}

func (d *images) Status(context.Context) Report {
	r := Report{Version: "v1"}
	if n := int(d.count.Load()); n > 0 {
		r.Version, r.Takeover = "v2", &Takeover{Count: n, From: "v1"}
	}
	return r
}

func (d *images) Reexec(context.Context) error {
	if d.refusal != nil {
		return d.refusal
	}
	d.count.Add(1)
	d.cut()
	return nil
}

func (d *images) Reload(context.Context) error {
	if d.count.Load() == 0 {
		return d.Reexec(context.Background())
	}
	return &Error{CodeConfig, "the verdict of the new one"}
}

// cutting is a listener whose last connection can be cut.
type cutting struct {
	net.Listener
	last atomic.Pointer[net.Conn]
}

func (l *cutting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.last.Store(&c)
	}
	return c, err
}

func reexecuting(t *testing.T, refusal error) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control.sock")
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l := &cutting{Listener: listener}
	d := &images{refusal: refusal, cut: func() { (*l.last.Load()).Close() }}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l, d, nil, defaultLimits(), ourselvesOrRoot) }()
	t.Cleanup(func() { cancel(); <-done })
	return Dial(path)
}

// The connection is cut by the exec, and the answer is that of the new image.
func TestReexecIsAnsweredByTheNextImage(t *testing.T) {
	r, err := reexecuting(t, nil).Reexec(t.Context())
	if err != nil || r.Version != "v2" || r.Takeover == nil || r.Takeover.From != "v1" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestReexecThatIsRefused(t *testing.T) {
	if _, err := reexecuting(t, errors.New("it cannot read this")).Reexec(t.Context()); err == nil || !strings.Contains(err.Error(), "it cannot read this") {
		t.Errorf("error %v", err)
	}
}

// A reload that finds another binary has the verdict of that.
func TestReloadIsAnsweredByTheNextImage(t *testing.T) {
	var answer *Error
	if err := reexecuting(t, nil).Reload(t.Context()); !errors.As(err, &answer) || answer.Code != CodeConfig {
		t.Errorf("error %v", err)
	}
}

// Who connects while one image follows the other is answered by the next, and the
// socket goes with the last.
func TestRegain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := first.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var file *os.File
	if err := raw.Control(func(fd uintptr) {
		if n, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3); err == nil {
			file = os.NewFile(uintptr(n), "control")
		}
	}); err != nil {
		t.Fatal(err)
	}
	waiting, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	first.SetUnlinkOnClose(false) // an exec removes nothing
	_ = first.Close()
	next, err := Regain(file)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := next.Accept(); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left")
	}
	if _, err := Regain(nil); err == nil {
		t.Error("nothing is a listener")
	}
	plain, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Regain(plain); err == nil {
		t.Error("a device is a listener")
	}
}
