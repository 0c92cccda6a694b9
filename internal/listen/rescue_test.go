package listen

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRescue(t *testing.T) {
	for address, hosts := range families {
		t.Run(address, func(t *testing.T) {
			needs(t, hosts...)
			var told atomic.Int64
			p := begin(t, address, func(o *Options) { o.Rescued = func(n int) { told.Add(int64(n)) } })
			dead := take(t, p)
			var clients []net.Conn
			for range 30 {
				c, err := net.Dial("tcp", p.Address())
				if err != nil {
					t.Fatal(err)
				}
				clients = append(clients, c)
			}
			next := launch(t, p, "next")
			if err := p.Steer(next.Slot, 100); err != nil {
				t.Fatal(err)
			}
			dead.Release()
			for _, c := range clients {
				if got := answer(t, c); got != "next" {
					t.Errorf("%q answers", got)
				}
			}
			if p.Rescued() != 30 || told.Load() != 30 {
				t.Errorf("%d were rescued, %d told, of 30", p.Rescued(), told.Load())
			}
		})
	}
}

// A probe of a launch that has ended is no client: it ends, and nobody else answers it.
func TestProbesAreNotRescued(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	serving, dead := launch(t, p, "serving"), take(t, p)
	if err := p.Steer(serving.Slot, 100); err != nil {
		t.Fatal(err)
	}
	waits, given := dial(t, dead), dial(t, dead)
	given.Close() // while it is in the queue still
	dead.Release()
	if got, err := io.ReadAll(waits); len(got) > 0 {
		t.Errorf("answered: %q, %v", got, err)
	}
	eventually(t, "nothing waits", func() bool { return queued(p.members[dead.n].fd) == 0 })
	if n := p.Rescued(); n != 0 {
		t.Errorf("%d were rescued", n)
	}
}

// A client that comes from where a probe came from a moment ago is a client.
func TestRescueFromTheSourceOfAProbe(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	dead := take(t, p)
	probe := dial(t, dead)
	_ = probe.(*asking).SetLinger(0) // no TIME_WAIT keeps its source
	probe.Close()
	d := net.Dialer{LocalAddr: probe.LocalAddr()}
	d.SetMultipathTCP(false)
	client, err := d.DialContext(t.Context(), "tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	next := launch(t, p, "next")
	if err := p.Steer(next.Slot, 100); err != nil {
		t.Fatal(err)
	}
	dead.Release()
	if got := answer(t, client); got != "next" {
		t.Errorf("%q answers", got)
	}
}

// Those that wait for gatewayd are no connections of the launch that takes the slot next.
func TestRescuedDoesNotCount(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	dead := take(t, p)
	c, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	next := take(t, p)
	if err := p.Steer(next, 100); err != nil {
		t.Fatal(err)
	}
	dead.Release()
	eventually(t, "the rescue has arrived", func() bool { n, _ := next.InFlight(); return n == 1 })
	for s := take(t, p); ; s = take(t, p) {
		if n, err := s.InFlight(); n != 0 || err != nil {
			t.Errorf("slot %d begins with %d connections (%v)", s.n, n, err)
		}
		if s.n == dead.n {
			break
		}
	}
}

// A slot that a launch has, or that new connections go to, is the launch's alone.
func TestNothingIsTakenFromALaunch(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	one := take(t, p)
	two := launch(t, p, "two")
	for n, m := range p.members {
		if accepting := m.rescue != nil; accepting != (n >= 2) {
			t.Errorf("%s: gatewayd accepts: %v", m.name, accepting)
		}
	}
	if err := p.Steer(two.Slot, 100); err != nil {
		t.Fatal(err)
	}
	c := dial(t, one)
	defer c.Close()
	if got := who(t, p.Address()); got != "two" { // enough time to take c away
		t.Errorf("%q answers", got)
	}
	if n, err := one.InFlight(); n != 1 || err != nil {
		t.Errorf("%d wait for the launch that is held back (%v)", n, err)
	}
	if n := p.Rescued(); n != 0 {
		t.Errorf("%d were rescued", n)
	}
}

// A rescued connection is relayed to its last byte, each direction to its own end.
func TestRelayIsWhole(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	dead := take(t, p)
	client, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	next := take(t, p)
	l := listener(t, next)
	if err := p.Steer(next, 100); err != nil {
		t.Fatal(err)
	}
	dead.Release()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { // sends back what it has got when the client has ended
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		got, _ := io.ReadAll(c)
		_, _ = c.Write(got)
	})
	sent := make([]byte, 1<<20)
	_, _ = rand.Read(sent)
	all.Go(func() {
		_, _ = client.Write(sent)
		_ = client.(*net.TCPConn).CloseWrite()
	})
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes come back of %d (%v)", len(got), len(sent), err)
	}
}

func listener(t *testing.T, s *Slot) net.Listener {
	t.Helper()
	f, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A client that is reset while it is relayed, and one that has gone before.
func TestRescueOfWhoHasGone(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	dead := take(t, p)
	clients := make([]*net.TCPConn, 2)
	for n := range clients {
		c, err := net.Dial("tcp", p.Address())
		if err != nil {
			t.Fatal(err)
		}
		clients[n] = c.(*net.TCPConn)
		_ = clients[n].SetLinger(0)
	}
	clients[0].Close()
	next := take(t, p)
	l := listener(t, next)
	if err := p.Steer(next, 100); err != nil {
		t.Fatal(err)
	}
	dead.Release()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	clients[1].Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the program is not told that its client has gone")
	}
	if err := p.Close(); err != nil { // no relay is left
		t.Fatal(err)
	}
	if n := p.Rescued(); n != 1 {
		t.Errorf("%d were rescued, and one of two was there", n)
	}
}

// A rescue to a socket that gatewayd accepts from would be rescued again, for ever.
func TestNoRescueInACircle(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	s := take(t, p)
	if err := unix.Shutdown(p.members[s.n].fd, unix.SHUT_RDWR); err != nil { // another one moves to its place
		t.Fatal(err)
	}
	if err := p.Steer(s, 100); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "it waits where it should", func() bool { n, _ := s.InFlight(); return n > 0 && p.Rescued() > 0 })
	if n, _ := s.InFlight(); n != 1 || p.Rescued() != 1 {
		t.Errorf("one connection was rescued %d times, and %d wait", p.Rescued(), n)
	}
}

// A closed port has cut its relays, and nobody listens on its address.
func TestCloseCutsRelays(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	dead := take(t, p)
	c, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	next := take(t, p)
	l := listener(t, next)
	if err := p.Steer(next, 100); err != nil {
		t.Fatal(err)
	}
	dead.Release()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	eventually(t, "it is relayed", func() bool { return p.Relaying() == 1 })
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || p.Relaying() != 0 {
		t.Error("the relay goes on")
	}
	if c, err := net.Dial("tcp", p.Address()); err == nil { // l is a copy that is open yet
		c.Close()
		t.Error("somebody listens")
	}
}
