package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Whatever Max is, nobody is refused: who finds it full waits in the kernel's queue.
func TestFull(t *testing.T) {
	var told atomic.Int64
	p := serve(t, "tcp", Options{Max: 10, Log: func(string, error) { told.Add(1) }})
	p.Add(1, start(t, "unix", says("one")).dial())
	p.Switch(1, 100)
	var idle []stream
	for range 10 {
		idle = append(idle, p.client(t))
	}
	eventually(t, "full", func() bool { return p.InFlight(1) == 10 && told.Load() == 1 })
	if s := p.Stats(); s.Max != 10 {
		t.Errorf("stats %+v", s)
	}
	var late sync.WaitGroup
	for range 20 {
		c := p.client(t)
		late.Go(func() {
			ask(t, c, "a", "one a")
			c.Close()
		})
	}
	if n := p.Stats().Accepted; n != 10 {
		t.Errorf("%d accepted", n)
	}
	probe, err := p.Dial(t.Context(), 1) // is not kept waiting by clients
	if err != nil {
		t.Fatal(err)
	}
	ask(t, probe.(stream), "p", "one p")
	probe.Close()
	idle[0].Close()
	late.Wait()
	if n := told.Load(); n != 1 {
		t.Errorf("told %d times that there is no room", n)
	}
}

// Idle connections, and those that say a byte now and then, keep nobody from being served.
func TestIdleAndSlowClients(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	p.Add(1, start(t, "unix", says("one")).dial())
	p.Switch(1, 100)
	var idle []stream
	for i := range 1000 {
		c := p.client(t)
		if i%2 == 0 {
			io.WriteString(c, "s")
		}
		idle = append(idle, c)
	}
	ask(t, p.client(t), "a", "one a")
	ask(t, idle[0], "low", "one slow")
	eventually(t, "all relayed", func() bool { return p.InFlight(1) == 1001 && p.moved() == 506 })
	if n := p.Remove(1); n != 501 {
		t.Errorf("%d cut, want the 501 that have said something", n)
	}
}

func TestNoDescriptorsForAWhile(t *testing.T) {
	var accept, dial atomic.Bool
	p := serve(t, "tcp", Options{Park: limit, Max: 100, Log: func(message string, err error) {
		if errors.Is(err, unix.EMFILE) {
			accept.Store(accept.Load() || strings.HasPrefix(message, "accept"))
			dial.Store(dial.Load() || strings.HasPrefix(message, "dial"))
		}
	}})
	p.Add(1, start(t, "unix", says("one")).dial())
	p.Switch(1, 100)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	allow := func(descriptors uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: descriptors, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
	}
	// What other tests have left closes when it likes, so there may be one more.
	var c net.Conn
	without := func(n int, seen *atomic.Bool) func() bool {
		return func() bool {
			if seen.Load() {
				return true
			}
			allow(old.Cur)
			if c != nil {
				c.Close()
			}
			allow(lowestFree(t, n)[n-1] + 1)
			c, _ = net.DialTimeout("tcp", p.listener.Addr().String(), limit) // the proxy may be quicker
			return false
		}
	}
	eventually(t, "accept has none", without(1, &accept))
	eventually(t, "the dial has none", without(2, &dial))
	allow(old.Cur)
	if c == nil {
		c = p.client(t)
	}
	_ = c.SetDeadline(time.Now().Add(limit))
	ask(t, c, "a", "one a")
}

// lowestFree are the numbers that the next descriptors get.
func lowestFree(t *testing.T, n int) (free []uint64) {
	for range n {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		free = append(free, uint64(f.Fd()))
	}
	return free
}

// What one side does not read stays with the other one.
func TestNobodyReads(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		var wrote atomic.Int64
		pour := func(c net.Conn) {
			for b := make([]byte, 64<<10); ; {
				n, err := c.Write(b)
				wrote.Add(int64(n))
				if err != nil {
					return
				}
			}
		}
		release := make(chan struct{})
		p := serve(t, front, Options{})
		p.Add(1, start(t, back, pour).dial())
		p.Add(2, start(t, back, func(net.Conn) { <-release }).dial())
		t.Cleanup(func() { close(release) })
		for n := range 2 {
			p.Switch(n+1, 100)
			c := p.client(t)
			if n == 1 {
				go pour(c)
			}
			eventually(t, "bytes", func() bool { return wrote.Load() > 0 })
			eventually(t, "no more of them", func() bool {
				before := wrote.Load()
				time.Sleep(50 * time.Millisecond) // long enough for a stuck one to show
				return before == wrote.Load()
			})
			if n := wrote.Swap(0); n > 64<<20 {
				t.Errorf("%d bytes were taken from who writes to nobody", n)
			}
			c.Close()
		}
	})
}

// A program that does not accept fills its queue; the others wait, and are served.
func TestProgramThatDoesNotAcceptForAWhile(t *testing.T) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/s"
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 2)); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), path)
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f.Close()
	p := serve(t, "tcp", Options{Park: limit})
	p.Add(1, dialer(l.Addr()))
	p.Switch(1, 100)
	var clients sync.WaitGroup
	for i := range 20 {
		c := p.client(t)
		clients.Go(func() { ask(t, c, fmt.Sprint(i), fmt.Sprint("one ", i)) })
	}
	eventually(t, "the queue is full", func() bool { return p.relayed() == 3 && p.Stats().Parked >= 16 })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				says("one")(c)
			}()
		}
	}()
	clients.Wait()
}

func TestResetOfTheClientReachesTheProgram(t *testing.T) {
	for _, back := range networks {
		read := make(chan error, 1)
		p := serve(t, "tcp", Options{})
		p.Add(1, start(t, back, func(c net.Conn) {
			_, err := io.ReadAll(c)
			read <- err
		}).dial())
		p.Switch(1, 100)
		c := p.client(t)
		io.WriteString(c, "half of it")
		eventually(t, "it is through", func() bool { return p.moved() == 10 })
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		if err := <-read; errors.Is(err, unix.ECONNRESET) != (back == "tcp") {
			t.Errorf("the program on %s read %v", back, err)
		}
		eventually(t, "forgotten", func() bool { return p.Stats().InFlight == 0 })
	}
}

func (p *Proxy) moved() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		n += c.up.moved.Load()
	}
	return n
}

func TestResetOfTheProgramDestroysNothing(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		p := serve(t, front, Options{})
		p.Add(1, start(t, back, func(c net.Conn) {
			io.ReadFull(c, make([]byte, 1))
			io.WriteString(c, "too large")
		}).dial()) // the close with unread bytes is a reset
		p.Switch(1, 100)
		c := p.client(t)
		go io.WriteString(c, strings.Repeat("x", 30_000))
		if b, err := io.ReadAll(c); err != nil || string(b) != "too large" {
			t.Errorf("read %q, %v", b, err)
		}
		eventually(t, "forgotten", func() bool { return p.Stats().InFlight == 0 })
	})
}

// A client that neither sends nor closes after the program has ended is no burden for ever.
func TestAbandoned(t *testing.T) {
	for _, back := range networks {
		p := serve(t, "tcp", Options{})
		p.mu.Lock()
		p.abandoned = 50 * time.Millisecond
		if back == "unix" {
			p.abandoned = time.Hour // and need not be waited for
		}
		p.mu.Unlock()
		p.Add(1, start(t, back, func(c net.Conn) { io.ReadFull(c, make([]byte, 1)) }).dial())
		p.Switch(1, 100)
		c := p.client(t)
		io.WriteString(c, "x")
		wantEOF(t, c)
		eventually(t, "forgotten", func() bool { return p.Stats().InFlight == 0 })
	}
}

func TestBothSidesAreKeptAlive(t *testing.T) {
	p := serve(t, "tcp", Options{})
	p.Add(1, start(t, "tcp", says("one")).dial())
	p.Switch(1, 100)
	ask(t, p.client(t), "a", "one a")
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		for _, s := range c.streams() {
			raw, err := s.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) {
				for _, o := range []struct{ level, option, want int }{
					{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
					{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
					{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
					{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
					{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
				} {
					if n, err := unix.GetsockoptInt(int(fd), o.level, o.option); err != nil || n != o.want {
						t.Errorf("option %d/%d is %d, %v; want %d", o.level, o.option, n, err, o.want)
					}
				}
			})
		}
	}
}

// One launch after another serves, each drained by evidence, and no request fails.
func TestDeploysUnderLoad(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		p := serve(t, front, Options{Park: limit})
		stop := make(chan struct{})
		var clients sync.WaitGroup
		var asked atomic.Int64
		for range 8 {
			clients.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := request(p.listener.Addr()); err != nil {
						t.Error(err)
						return
					}
					asked.Add(1)
				}
			})
		}
		var old *program
		for n := 1; n <= 30; n++ {
			next := start(t, back, says("any"))
			p.Add(n, next.dial())
			p.Switch(n, 100)
			eventually(t, "asked", func() bool { return asked.Load() > int64(10*n) })
			eventually(t, "drained", func() bool { return p.InFlight(n-1) == 0 })
			if old != nil {
				old.Close()
			}
			if cut := p.Remove(n - 1); cut != 0 {
				t.Errorf("%d cut", cut)
			}
			old = next
		}
		close(stop)
		clients.Wait()
	})
}

func request(a net.Addr) error {
	c, err := net.DialTimeout(a.Network(), a.String(), limit)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	if _, err := io.WriteString(c, "a\n"); err != nil {
		return err
	}
	b := make([]byte, 6)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "any a\n" {
		return fmt.Errorf("read %q, %w", b, err)
	}
	return nil
}
