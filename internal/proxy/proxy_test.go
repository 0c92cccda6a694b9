package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(benchProgram); what != "" {
		benchMain(what)
		return
	}
	goleak.VerifyTestMain(m)
}

// limit is generous: a test that reaches it has failed.
const limit = 20 * time.Second

// networks are those that a proxy, and its backends, can be on.
var networks = []string{"tcp", "unix"}

func listen(t testing.TB, network string) net.Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// program is what a launch runs: f for each connection.
type program struct {
	net.Listener
	accepted atomic.Int64
	running  sync.WaitGroup
	conns    sync.Map
}

// end ends what runs, and waits for that: the next test begins with no descriptor in use.
func (p *program) end() {
	p.Close()
	p.conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	p.running.Wait()
}

func start(t testing.TB, network string, f func(net.Conn)) *program {
	t.Helper()
	p := &program{Listener: listen(t, network)}
	t.Cleanup(p.end)
	p.running.Go(func() {
		for {
			c, err := p.Accept()
			if errors.Is(err, unix.EMFILE) {
				continue
			}
			if err != nil {
				return
			}
			p.accepted.Add(1)
			p.conns.Store(c, nil)
			p.running.Go(func() {
				defer p.conns.Delete(c)
				defer c.Close()
				f(c)
			})
		}
	})
	return p
}

// says answers each line with the name of the launch and the line.
func says(name string) func(net.Conn) {
	return func(c net.Conn) {
		for r := bufio.NewReader(c); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(c, name+" "+line)
		}
	}
}

func echo(c net.Conn) {
	io.Copy(c, c)
	c.(stream).CloseWrite()
}

func dialer(a net.Addr) Dial {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, a.Network(), a.String())
	}
}

func (p *program) dial() Dial { return dialer(p.Addr()) }

func serve(t testing.TB, network string, o Options) *Proxy {
	t.Helper()
	p := New(listen(t, network), o)
	t.Cleanup(func() { p.Close() })
	return p
}

// connect is a client.
func connect(t testing.TB, a net.Addr) stream {
	t.Helper()
	c, err := net.DialTimeout(a.Network(), a.String(), limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return c.(stream)
}

func (p *Proxy) client(t testing.TB) stream { return connect(t, p.listener.Addr()) }

// ask sends a line and wants an answer.
func ask(t testing.TB, c net.Conn, line, want string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want)+1)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want+"\n" {
		t.Fatalf("asked %q, got %q, %v; want %q", line, got, err, want)
	}
}

func wantEOF(t testing.TB, c net.Conn) {
	t.Helper()
	if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
		t.Fatalf("read %q, %v; want the end of the stream", b, err)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// pairs runs f on each kind of proxy before each kind of program.
func pairs(t *testing.T, f func(t *testing.T, front, back string)) {
	for _, front := range networks {
		for _, back := range networks {
			t.Run(front+" to "+back, func(t *testing.T) { f(t, front, back) })
		}
	}
}

func TestRelay(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		p := serve(t, front, Options{})
		p.Add(1, start(t, back, says("one")).dial())
		p.Switch(1, 100)
		c := p.client(t)
		for i := range 100 {
			ask(t, c, fmt.Sprint(i), fmt.Sprint("one ", i))
		}
		if n := p.InFlight(1); n != 1 {
			t.Errorf("%d in flight, want 1", n)
		}
		c.Close()
		eventually(t, "none in flight", func() bool { return p.InFlight(1) == 0 })
		if s := p.Stats(); s != (Stats{Accepted: 1, Max: p.options.Max}) {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestHalfCloseBothWays(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		// The program ends its direction first, and still reads.
		got := make(chan string, 1)
		b := start(t, back, func(c net.Conn) {
			io.WriteString(c, "hello")
			c.(stream).CloseWrite()
			all, _ := io.ReadAll(c)
			got <- string(all)
		})
		p := serve(t, front, Options{})
		p.Add(1, b.dial())
		p.Switch(1, 100)
		c := p.client(t)
		if all, err := io.ReadAll(c); err != nil || string(all) != "hello" {
			t.Fatalf("read %q, %v", all, err)
		}
		io.WriteString(c, "and good")
		io.WriteString(c, "bye")
		c.CloseWrite()
		if s := <-got; s != "and goodbye" {
			t.Errorf("the program read %q", s)
		}
		eventually(t, "none in flight", func() bool { return p.InFlight(1) == 0 })

		// The client ends first, and still reads.
		p.Add(2, start(t, back, echo).dial())
		p.Switch(2, 100)
		c = p.client(t)
		big := strings.Repeat("0123456789", 100_000)
		go func() {
			io.WriteString(c, big)
			c.CloseWrite()
		}()
		if all, err := io.ReadAll(c); err != nil || string(all) != big {
			t.Errorf("read %d bytes, %v; want %d", len(all), err, len(big))
		}
	})
}

func TestSwitch(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	for n, name := range map[int]string{1: "one", 2: "two"} {
		p.Add(n, start(t, "unix", says(name)).dial())
	}
	p.Switch(1, 100)
	old := p.client(t)
	ask(t, old, "a", "one a")

	count := func(n int) (two int) {
		for range n {
			c := p.client(t)
			io.WriteString(c, "x\n")
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil {
				t.Fatal(err)
			} else if line == "two x\n" {
				two++
			}
			c.Close()
		}
		return two
	}
	p.Switch(2, 30)
	if n := count(200); n < 20 || n > 120 {
		t.Errorf("%d of 200 went to the canary of 30 %%", n)
	}
	p.Switch(2, 0)
	if n := count(20); n != 0 {
		t.Errorf("%d of 20 went to the canary that was taken back", n)
	}
	p.Switch(2, 100)
	if n := count(20); n != 20 {
		t.Errorf("%d of 20 went to the launch that has all", n)
	}
	ask(t, old, "b", "one b")
	eventually(t, "one in flight", func() bool { return p.InFlight(1) == 1 && p.InFlight(2) == 0 })
	p.Switch(2, 0) // nobody serves
	c := p.client(t)
	eventually(t, "parked", func() bool { return p.Stats().Parked == 1 })
	p.Switch(1, 100)
	ask(t, c, "c", "one c")
}

func TestBrokenCanaryHurtsNobody(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	p.Add(1, start(t, "unix", says("one")).dial())
	p.Add(2, func(context.Context) (net.Conn, error) { return nil, errors.New("broken") })
	p.Switch(1, 100)
	p.Switch(2, 50)
	for range 50 {
		ask(t, p.client(t), "a", "one a")
	}
}

func TestDialReachesTheLaunchThatIsMeant(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		p := serve(t, front, Options{Park: limit})
		p.Add(1, start(t, back, says("one")).dial())
		p.Add(2, start(t, back, says("two")).dial())
		p.Switch(1, 100)
		for n, want := range map[int]string{1: "one a", 2: "two a"} {
			c, err := p.Dial(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
			ask(t, c, "a", want)
			c.Close()
		}
		ask(t, p.client(t), "a", "one a")
		if _, err := p.Dial(t.Context(), 3); !errors.Is(err, ErrGone) {
			t.Errorf("dial of no launch: %v", err)
		}
		broken := errors.New("broken")
		p.Add(3, func(context.Context) (net.Conn, error) { return nil, broken })
		if _, err := p.Dial(t.Context(), 3); !errors.Is(err, broken) {
			t.Errorf("dial of a broken launch: %v", err)
		}
		if len(p.steered) > 0 {
			t.Errorf("still noted: %v", p.steered)
		}
	})
}

// A program that is frozen after a probe never closes: nothing of the probe waits
// for it.
func TestDialLeavesNothingWithADeafProgram(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		deaf := make(chan struct{})
		p := serve(t, front, Options{Park: limit})
		p.Add(1, start(t, back, func(net.Conn) { <-deaf }).dial())
		t.Cleanup(func() { close(deaf) })
		c, err := p.Dial(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		eventually(t, "no connection", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.conns) == 0
		})
	})
}

func TestDialThroughWildcards(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		p := New(l, Options{})
		p.Add(1, start(t, "unix", says("one")).dial())
		p.Add(2, start(t, "unix", says("two")).dial())
		p.Switch(1, 100)
		c, err := p.Dial(t.Context(), 2)
		if err != nil {
			t.Fatal(address, err)
		}
		ask(t, c, "a", "two a")
		c.Close()
		p.Close()
	}
}

func TestDialGivesUpWithItsContext(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	hangs := make(chan struct{})
	p.Add(1, func(ctx context.Context) (net.Conn, error) {
		close(hangs)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-hangs
		cancel()
	}()
	if _, err := p.Dial(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v", err)
	}
	p.Remove(1)
	eventually(t, "nothing left", func() bool { return p.Stats().InFlight == 0 })
}

func TestDialEndsWithTheProxy(t *testing.T) {
	p := serve(t, "tcp", Options{})
	p.Add(1, start(t, "unix", says("one")).dial())
	if _, files, err := p.Suspend(t.Context()); err != nil {
		t.Fatal(err)
	} else {
		closeAll(files)
	}
	ended := make(chan error)
	go func() { // waits in the kernel's queue
		_, err := p.Dial(context.Background(), 1)
		ended <- err
	}()
	eventually(t, "it is noted", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.steered) == 1
	})
	p.Close()
	if err := <-ended; err == nil {
		t.Error("no error")
	}
}
