package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reincarnate hands a proxy over as another image of the process gets it: the state as
// text, the connections and the listener as descriptors.
func reincarnate(t testing.TB, old *Proxy, o Options, dials map[int]Dial) *Proxy {
	t.Helper()
	state, files, err := old.Suspend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	l := copyListener(t, old)
	old.Close()
	var read State
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	p, err := Resume(l, o, read, files)
	if err != nil {
		t.Fatal(err)
	}
	for n, dial := range dials {
		p.Add(n, dial)
	}
	return p
}

func copyListener(t testing.TB, p *Proxy) net.Listener {
	t.Helper()
	f, err := p.listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := p.listener.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return l
}

// sendRandom writes n random bytes in random portions, and ends.
func sendRandom(c stream, seed uint64, n int) error {
	r := rand.New(rand.NewPCG(seed, 0))
	source := rand.NewChaCha8([32]byte{byte(seed)})
	b := make([]byte, 100_000)
	for n > 0 {
		k := min(n, 1+r.IntN(len(b)))
		source.Read(b[:k])
		if _, err := c.Write(b[:k]); err != nil {
			return err
		}
		n -= k
	}
	return c.CloseWrite()
}

// wantRandom reads what sendRandom writes.
func wantRandom(c net.Conn, seed uint64, n int) error {
	source := rand.NewChaCha8([32]byte{byte(seed)})
	got, want := make([]byte, 50_000), make([]byte, 50_000)
	for at := 0; ; {
		k, err := c.Read(got)
		source.Read(want[:k])
		if string(got[:k]) != string(want[:k]) {
			return fmt.Errorf("wrong bytes between %d and %d of %d", at, at+k, n)
		}
		at += k
		if errors.Is(err, io.EOF) && at == n {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d bytes of %d: %w", at, n, err)
		}
	}
}

// Neither a byte is lost nor doubled, nor a half-close, when relays stop and go on
// again and again, in this image of the process or another one.
func TestSuspendUnderTraffic(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		dials := map[int]Dial{1: start(t, back, echo).dial()}
		o := Options{Park: limit}
		p := serve(t, front, o)
		p.Add(1, dials[1])
		p.Switch(1, 100)
		address := p.listener.Addr()
		stop := make(chan struct{})
		var clients sync.WaitGroup
		var served sync.Map
		for id := range 6 {
			clients.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					if err := exchange(address, uint64(id*1000+i)); err != nil {
						t.Errorf("client %d, connection %d: %v", id, i, err)
						return
					}
					served.Store(id*1000+i, true)
				}
			})
		}
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 100 {
			time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond) // anywhere in the traffic
			if i%2 == 0 {
				if _, files, err := p.Suspend(t.Context()); err != nil {
					t.Fatal(err)
				} else {
					closeAll(files)
				}
				p.Continue()
				continue
			}
			p = reincarnate(t, p, o, dials)
			t.Cleanup(func() { p.Close() })
		}
		close(stop)
		clients.Wait()
		n := 0
		served.Range(func(any, any) bool { n++; return true })
		if s := p.Stats(); n == 0 || s.Refused != 0 || s.Rescued != 0 || int(s.Accepted) < n {
			t.Errorf("%d connections, stats %+v", n, s)
		}
		eventually(t, "none in flight", func() bool { return p.Stats().InFlight == 0 && p.InFlight(1) == 0 })
	})
}

// exchange sends random bytes to an echo, and reads them back.
func exchange(a net.Addr, seed uint64) error {
	c, err := net.DialTimeout(a.Network(), a.String(), limit)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	n := rand.New(rand.NewPCG(seed, 1)).IntN(3_000_000)
	sent := make(chan error, 1)
	go func() { sent <- sendRandom(c.(stream), seed, n) }()
	return errors.Join(wantRandom(c, seed, n), <-sent)
}

func TestSuspendedStandsStill(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	p.Add(1, start(t, "unix", says("one")).dial())
	p.Switch(1, 100)
	c := p.client(t)
	ask(t, c, "a", "one a")
	s, files, err := p.Suspend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closeAll(files)
	if len(s.Conns) != 1 || len(files) != 2 || s.Serving != 1 {
		t.Errorf("%d files and state %+v", len(files), s)
	}
	if p.InFlight(1) != 1 {
		t.Errorf("%d in flight", p.InFlight(1))
	}
	io.WriteString(c, "b\n")
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := c.Read(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v while suspended", n, err)
	}
	if _, _, err := p.Suspend(t.Context()); err == nil {
		t.Error("suspended twice")
	}
	p.Continue()
	c.SetDeadline(time.Now().Add(limit))
	ask(t, c, "c", "one b\none c")
}

func TestParkedGoesOnInAnotherImage(t *testing.T) {
	p := serve(t, "unix", Options{Park: limit})
	c := p.client(t)
	io.WriteString(c, "a\n")
	eventually(t, "parked", func() bool { return p.Stats().Parked == 1 })
	next := reincarnate(t, p, Options{Park: limit}, nil)
	defer next.Close()
	eventually(t, "parked again", func() bool { return next.Stats().Parked == 1 })
	next.Add(1, start(t, "tcp", says("one")).dial())
	next.Switch(1, 100)
	ask(t, c, "b", "one a\none b")
}

// Until Add says how a launch is dialled that serves already, nobody is parked for it:
// a client that ends its direction meanwhile has not given up.
func TestHalfClosedBeforeAddAfterResume(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	b := start(t, "unix", echo)
	p.Add(1, b.dial())
	p.Switch(1, 100)
	next := reincarnate(t, p, Options{Park: limit}, nil)
	defer next.Close()
	c := next.client(t)
	eventually(t, "waits", func() bool { return next.Stats().Parked == 1 })
	io.WriteString(c, "all")
	c.CloseWrite()
	eventually(t, "the end is there", func() bool {
		next.mu.Lock()
		defer next.mu.Unlock()
		for c := range next.conns {
			return shows(c.client, unix.POLLRDHUP)
		}
		return true
	})
	next.Add(1, b.dial())
	if b, err := io.ReadAll(c); err != nil || string(b) != "all" {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestTheRestOfParkIsKept(t *testing.T) {
	p := serve(t, "tcp", Options{Park: 50 * time.Millisecond})
	c := p.client(t)
	eventually(t, "parked", func() bool { return p.Stats().Parked == 1 })
	next := reincarnate(t, p, Options{Park: limit}, nil)
	defer next.Close()
	wantEOF(t, c)
	if s := next.Stats(); s.Accepted != 1 {
		t.Errorf("stats %+v", s)
	}
}

// A client that does not read, and one that has ended its direction, stay what they are.
func TestStuckAndHalfClosedGoOnInAnotherImage(t *testing.T) {
	big := strings.Repeat("0123456789", 1_000_000)
	b := start(t, "unix", func(c net.Conn) {
		io.ReadAll(c)
		io.WriteString(c, big)
	})
	dials := map[int]Dial{1: b.dial()}
	p := serve(t, "tcp", Options{Park: limit})
	p.Add(1, dials[1])
	p.Switch(1, 100)
	c := p.client(t)
	c.CloseWrite()
	eventually(t, "the answer is stuck", func() bool {
		s, files, err := p.Suspend(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Continue()
		closeAll(files)
		return len(s.Conns) == 1 && len(s.Conns[0].Down.Pending) > 0 && s.Conns[0].Up.End == int(eof)
	})
	for range 3 {
		p = reincarnate(t, p, Options{Park: limit}, dials)
		defer p.Close()
	}
	if all, err := io.ReadAll(c); err != nil || string(all) != big {
		t.Errorf("read %d bytes, %v; want %d", len(all), err, len(big))
	}
}

func TestSuspendGivesUpWithItsContext(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	release := make(chan struct{})
	dialling := make(chan struct{}, 1)
	b := start(t, "unix", says("one"))
	p.Add(1, func(context.Context) (net.Conn, error) { // heeds no context
		dialling <- struct{}{}
		<-release
		return net.Dial("unix", b.Addr().String())
	})
	p.Switch(1, 100)
	c := p.client(t)
	<-dialling
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := p.Suspend(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("suspend: %v", err)
	}
	close(release)
	ask(t, c, "a", "one a")
}

func TestResumeOfNonsense(t *testing.T) {
	for name, s := range map[string]State{
		"no such file":    {Conns: []ConnState{{Client: 3}}},
		"no such backend": {Conns: []ConnState{{Launch: 1, Backend: -1}}},
		"not a socket":    {Conns: []ConnState{{Launch: 1, Backend: 1}}},
	} {
		l := listen(t, "unix")
		c := connect(t, l.Addr())
		f, err := duplicate(c)
		if err != nil {
			t.Fatal(err)
		}
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Resume(l, Options{}, s, []*os.File{f, null}); err == nil {
			t.Errorf("%s: resumed", name)
		}
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: the file is open", name)
		}
		l.Close()
	}
}

// A client that is lost at the moment of a Suspend, when the other way has stopped
// already, keeps nobody from it, and is forgotten afterwards.
func TestSuspendWithLostClient(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	p.Add(1, start(t, "unix", says("one")).dial())
	p.Switch(1, 100)
	ask(t, p.client(t), "a", "one a")
	if _, files, err := p.Suspend(t.Context()); err != nil {
		t.Fatal(err)
	} else {
		closeAll(files)
	}
	p.mu.Lock()
	for c := range p.conns {
		c.up.end = noFrom
		c.abort()
	}
	p.mu.Unlock()
	if s, files, err := p.describe(); err != nil || len(s.Conns) != 0 || len(files) != 0 {
		t.Errorf("%d files, %+v, %v", len(files), s, err)
	}
	p.Continue()
	eventually(t, "none in flight", func() bool { return p.Stats().InFlight == 0 && p.InFlight(1) == 0 })
}
