package proxy

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestParkedUntilALaunchServes(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		p := serve(t, front, Options{Park: limit})
		b := start(t, back, says("one"))
		var clients sync.WaitGroup
		for range 50 {
			c := p.client(t)
			clients.Go(func() { ask(t, c, "a", "one a") })
		}
		eventually(t, "50 parked", func() bool { return p.Stats().Parked == 50 })
		p.Switch(1, 100) // not dialled before Add
		p.Add(1, b.dial())
		clients.Wait()
		if s := p.Stats(); s.Parked != 0 || s.Refused != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestParkedUntilTheProgramListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later")
	p := serve(t, "tcp", Options{Park: limit})
	p.Add(1, dialer(&net.UnixAddr{Name: path, Net: "unix"})) // ENOENT
	p.Switch(1, 100)
	var clients sync.WaitGroup
	for range 50 {
		c := p.client(t)
		clients.Go(func() { ask(t, c, "a", "one a") })
	}
	eventually(t, "50 parked", func() bool { return p.Stats().Parked >= 49 }) // one knocks
	b := start(t, "unix", says("one"))
	if err := os.Rename(b.Addr().String(), path); err != nil {
		t.Fatal(err)
	}
	clients.Wait()
}

// A program that does not listen yet is no news. One that did, and does no more, is.
func TestToldOnlyOfAProgramThatListened(t *testing.T) {
	var told, noted atomic.Int64
	count := func(n *atomic.Int64) func(string, error) { return func(string, error) { n.Add(1) } }
	path := filepath.Join(t.TempDir(), "later")
	p := serve(t, "tcp", Options{Park: limit, Log: count(&told), Debug: count(&noted)})
	p.Add(1, dialer(&net.UnixAddr{Name: path, Net: "unix"}))
	p.Switch(1, 100)
	early := p.client(t)
	eventually(t, "a dial has failed", func() bool { return noted.Load() == 1 })
	if n := told.Load(); n != 0 {
		t.Errorf("told %d times of a program that does not listen yet", n)
	}
	b := start(t, "unix", says("one"))
	if err := os.Rename(b.Addr().String(), path); err != nil {
		t.Fatal(err)
	}
	ask(t, early, "a", "one a")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p.client(t)
	eventually(t, "told", func() bool { return told.Load() == 1 && noted.Load() == 1 })
}

// A dial that began before the program listened, and fails after another one has reached
// it, says nothing of now: nobody is told, and its client is answered at once.
func TestDialThatFailsLate(t *testing.T) {
	var told atomic.Int64
	var first atomic.Bool
	begun, release := make(chan struct{}), make(chan struct{})
	b := start(t, "unix", says("one"))
	tell := func(string, error) { told.Add(1) }
	p := serve(t, "unix", Options{Park: limit, Log: tell, Debug: tell})
	p.Add(1, func(ctx context.Context) (net.Conn, error) {
		if first.CompareAndSwap(false, true) {
			close(begun)
			<-release
			return nil, syscall.ECONNREFUSED
		}
		return b.dial()(ctx)
	})
	p.Switch(1, 100)
	late := p.client(t)
	<-begun
	ask(t, p.client(t), "a", "one a")
	close(release)
	ask(t, late, "b", "one b")
	if n := told.Load(); n != 0 {
		t.Errorf("told %d times of a program that listens", n)
	}
}

// Of many that wait for a program, one knocks; when it goes, another one does.
func TestOneKnocksForAll(t *testing.T) {
	var dials atomic.Int64
	var blocks atomic.Bool
	p := serve(t, "unix", Options{Park: limit})
	p.Add(1, func(ctx context.Context) (net.Conn, error) {
		defer dials.Add(-1)
		if dials.Add(1); blocks.Load() {
			<-ctx.Done()
		}
		return nil, os.ErrNotExist
	})
	p.Switch(1, 100)
	var clients []stream
	for range 30 {
		clients = append(clients, p.client(t))
	}
	eventually(t, "parked", func() bool { return p.Stats().Parked >= 29 })
	blocks.Store(true)
	for range 3 {
		p.Switch(1, 100) // all try again
		eventually(t, "one dials", func() bool { return dials.Load() == 1 && p.Stats().Parked == 29 })
	}
	p.Remove(1)
	eventually(t, "all parked", func() bool { return p.Stats().Parked == 30 })
	p.staysParked(t, 30)

	var runs atomic.Pointer[program]
	p.Add(2, func(ctx context.Context) (net.Conn, error) {
		if b := runs.Load(); b != nil {
			return b.dial()(ctx)
		}
		return nil, os.ErrNotExist
	})
	p.Switch(2, 100)
	for _, c := range clients[:29] {
		c.Close()
	}
	eventually(t, "the others forgotten", func() bool { return p.Stats().InFlight == 1 })
	runs.Store(start(t, "unix", says("two")))
	ask(t, clients[29], "a", "two a")
}

// Nobody knocks for a launch that gets nothing any more, though it is still there.
func TestNobodyKnocksInVain(t *testing.T) {
	p := serve(t, "unix", Options{Park: limit})
	absent := func(context.Context) (net.Conn, error) { return nil, os.ErrNotExist }
	p.Add(1, absent)
	p.Switch(1, 100)
	for range 30 {
		p.client(t)
	}
	eventually(t, "parked", func() bool { return p.Stats().Parked >= 29 })
	p.Switch(2, 100)
	eventually(t, "all parked", func() bool { return p.Stats().Parked == 30 })
	p.staysParked(t, 30)
}

// staysParked looks often enough to see one of them wake another, in turn.
func (p *Proxy) staysParked(t *testing.T, n int) {
	t.Helper()
	for range 1000 {
		if now := p.Stats().Parked; now != n {
			t.Fatalf("%d of %d are parked", now, n)
		}
		runtime.Gosched()
	}
}

func TestWhoHangsUpWhileParkedIsForgotten(t *testing.T) {
	for _, front := range networks {
		p := serve(t, front, Options{Park: limit})
		c := p.client(t)
		io.WriteString(c, "never\n")
		eventually(t, "parked", func() bool { return p.Stats().Parked == 1 })
		c.Close()
		eventually(t, "forgotten", func() bool { return p.Stats().InFlight == 0 })
		b := start(t, "unix", says("one"))
		p.Add(1, b.dial())
		p.Switch(1, 100)
		ask(t, p.client(t), "a", "one a")
		if n := b.accepted.Load(); n != 1 {
			t.Errorf("%s: the program accepted %d, want 1", front, n)
		}
	}
}

// Who has ended its direction before it was parked has not hung up because of that; on
// unix it may do so at any time.
func TestHalfClosedIsServedAfterPark(t *testing.T) {
	for _, front := range networks {
		p := serve(t, front, Options{Park: limit})
		if _, files, err := p.Suspend(t.Context()); err != nil { // so that the end is there at accept
			t.Fatal(err)
		} else {
			closeAll(files)
		}
		c := p.client(t)
		if front == "tcp" {
			io.WriteString(c, "all")
			c.CloseWrite()
		}
		p.Continue()
		eventually(t, "parked", func() bool { return p.Stats().Parked == 1 })
		if front == "unix" {
			io.WriteString(c, "all")
			c.CloseWrite()
		}
		p.Add(1, start(t, "unix", echo).dial())
		p.Switch(1, 100)
		if b, err := io.ReadAll(c); err != nil || string(b) != "all" {
			t.Errorf("%s: read %q, %v", front, b, err)
		}
	}
}

func TestRefusedAfterPark(t *testing.T) {
	for _, test := range []struct{ name, sends, want string }{
		{"HTTP/1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", unavailable},
		{"a body that is never read", "POST / HTTP/1.1\r\n\r\n" + strings.Repeat("x", 300_000), unavailable},
		{"no request", "HELO x\r\n", ""},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01", ""},
		{"nothing", "", ""},
	} {
		for _, front := range networks {
			t.Run(test.name+" on "+front, func(t *testing.T) {
				p := serve(t, front, Options{Park: 20 * time.Millisecond})
				c := p.client(t)
				go io.WriteString(c, test.sends)
				b, err := io.ReadAll(c)
				if test.want == "" {
					err = nil // a reset will do, for what was not read
				}
				if err != nil || string(b) != test.want {
					t.Errorf("got %q, %v; want %q", b, err, test.want)
				}
				c.Close()
				eventually(t, "forgotten", func() bool { return p.Stats() == Stats{Accepted: 1, Refused: 1, Max: p.options.Max} })
			})
		}
	}
}

func TestNoParkDialsOnce(t *testing.T) {
	p := serve(t, "tcp", Options{})
	p.Add(1, start(t, "unix", says("one")).dial())
	p.Switch(1, 100)
	ask(t, p.client(t), "a", "one a")
	p.Switch(1, 0)
	c := p.client(t)
	wantEOF(t, c)
}
