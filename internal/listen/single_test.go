package listen

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func unixPort(t *testing.T, o ...func(*Options)) (*Port, string) {
	path := filepath.Join(t.TempDir(), "s")
	return begin(t, "unix:"+path, o...), path
}

func whoUnix(t *testing.T, path string) string {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, c)
}

// serveShared serves on a shared socket as a launch does.
func serveShared(t *testing.T, p *Port, name string) *Slot {
	t.Helper()
	s := take(t, p)
	l := listener(t, s)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(name))
			c.Close()
		}
	}()
	return s
}

func TestUnix(t *testing.T) {
	p, path := unixPort(t)
	if p.Kind() != Shared || !strings.Contains(p.Why(), "unix") || p.Address() != "unix:"+path {
		t.Errorf("%s, %s, %s", p.Kind(), p.Why(), p.Address())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	s := serveShared(t, p, "one")
	if err := p.Steer(s, 100); err != nil {
		t.Error(err)
	}
	if _, err := s.InFlight(); !errors.Is(err, ErrShared) {
		t.Error(err)
	}
	if got := answer(t, dial(t, s)); got != "one" {
		t.Errorf("%q answers", got)
	}
	s.Release()
	if err := p.Mend(within(t)); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the path is left: %v", err)
	}
}

// A socket that nobody listens on is what a crash leaves; all else belongs to somebody.
func TestUnixPathThatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_, err = Open(within(t), Options{Address: "unix:" + path})
	isNamed(t, err, os.Getpid())
	l.Close()
	p := begin(t, "unix:"+path)
	serveShared(t, p, "one")
	if got := whoUnix(t, path); got != "one" {
		t.Errorf("%q answers", got)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(within(t), Options{Address: "unix:" + file}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Error(err)
	}
	if got, _ := os.ReadFile(file); string(got) != "precious" {
		t.Error("the file is gone")
	}
}

func TestUnixIsMended(t *testing.T) {
	for name, spoil := range map[string]func(p *Port, path string) error{
		"the path is removed": func(_ *Port, path string) error { return os.Remove(path) },
		"it was shut down":    func(p *Port, _ string) error { return unix.Shutdown(p.members[0].fd, unix.SHUT_RDWR) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			p, path := unixPort(t, kept(s, nil))
			if err := spoil(p, path); err != nil {
				t.Fatal(err)
			}
			if err := p.Mend(within(t)); !errors.Is(err, ErrRenewed) {
				t.Fatalf("running launches are not spoken of: %v", err)
			}
			if err := p.Mend(within(t)); err != nil {
				t.Fatal(err)
			}
			serveShared(t, p, "one")
			if got := whoUnix(t, path); got != "one" {
				t.Errorf("%q answers", got)
			}
			if got := s.files[p.at.key("0")]; len(got) != 1 || inode(int(got[0].Fd())) != inode(p.members[0].fd) {
				t.Errorf("%d are kept, or another one", len(got))
			}
		})
	}
}

// Somebody else listens where our path was.
func TestUnixPathThatIsTaken(t *testing.T) {
	p, path := unixPort(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	isNamed(t, p.Mend(within(t)), os.Getpid())
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("somebody's path is removed: %v", err)
	}
}

func TestUnixStore(t *testing.T) {
	s := newStore(t)
	first, path := unixPort(t, kept(s, nil))
	first.Leave()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	next := begin(t, "unix:"+path, kept(s, s.sockets(t)))
	serveShared(t, next, "next")
	if got := answer(t, c); got != "next" {
		t.Errorf("%q answers", got)
	}
	next.Leave()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	var lines []string
	last := begin(t, "unix:"+path, kept(s, s.sockets(t)), logged(&lines))
	serveShared(t, last, "last")
	if got := whoUnix(t, path); got != "last" || len(lines) != 1 {
		t.Errorf("%q answers, %q", got, lines)
	}
}

// What another image cannot take over, its launches have lost.
func TestUnixPathThatIsLostToAnotherImage(t *testing.T) {
	s := newStore(t)
	first, path := unixPort(t, kept(s, nil))
	state := first.State()
	first.Leave()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	next := begin(t, "unix:"+path, kept(s, s.sockets(t)), func(o *Options) { o.State = &state })
	if err := next.Check(t.Context()); !errors.Is(err, ErrRenewed) {
		t.Errorf("first check: %v", err)
	}
	if err := next.Check(t.Context()); err != nil {
		t.Errorf("second check: %v", err)
	}
}

// systemd keeps its own socket: it is neither stored nor shut down, and can be taken again.
func TestInherited(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "s")
			}
			systemd, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer systemd.Close()
			f, err := systemd.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.SetNonblock(int(f.Fd()), false); err != nil { // NonBlocking=no
				t.Fatal(err)
			}
			s, sockets := newStore(t), NewSockets(map[string][]*os.File{"http": {f}})
			t.Cleanup(func() { sockets.CloseRest() })
			for _, name := range []string{"one", "two"} {
				p := begin(t, "systemd:http", kept(s, sockets))
				if p.Kind() != Shared || !strings.Contains(p.Why(), "systemd") || len(s.names()) > 0 {
					t.Errorf("%s, %s, %s", p.Kind(), p.Why(), s.names())
				}
				if !nonblocking(t, p.members[0].fd) {
					t.Error("it blocks")
				}
				slot := serveShared(t, p, name)
				if got := answer(t, dial(t, slot)); got == "" {
					t.Error("nobody answers")
				}
				if err := p.Mend(within(t)); err != nil {
					t.Error(err)
				}
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}
			c, err := net.Dial(network, systemd.Addr().String())
			if err != nil {
				t.Fatalf("systemd's socket does not listen any more: %v", err)
			}
			c.Close()
		})
	}
}

func TestSharedSocketIsMended(t *testing.T) {
	p, err := unsteered(t, Options{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	p.o.Log = func(string, error) {}
	if err := unix.Shutdown(p.members[0].fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if err := p.Mend(within(t)); err != nil {
		t.Fatal(err)
	}
	connectTo(t, p)
}

func TestListener(t *testing.T) {
	s := newStore(t)
	first := begin(t, "127.0.0.1:0", kept(s, nil))
	first.Leave()
	c := connectTo(t, first)
	next := begin(t, first.Address(), kept(s, s.sockets(t)))
	l, err := take(t, next).Listener()
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("%s is accepted", got.RemoteAddr())
	}
	l.Close()
	connectTo(t, next)
}

// The limit of the queue is that of the kernel's TCP_INFO, tcpi_sacked of a listener.
func TestBacklogIsChanged(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	if err := p.SetBacklog(7); err != nil {
		t.Fatal(err)
	}
	for _, m := range p.members {
		info, err := unix.GetsockoptTCPInfo(m.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || info.Sacked != 7 {
			t.Errorf("socket %s has room for %d, %v", m.name, info.Sacked, err)
		}
	}
}
