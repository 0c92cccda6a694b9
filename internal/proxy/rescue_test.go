package proxy

import (
	"io"
	"net"
	"strings"
	"testing"
)

// dies accepts one connection after another and ends each before reading, as a program
// that is killed.
func dies(net.Conn) {}

func TestUntouchedConnectionGoesToTheNextLaunch(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		for _, header := range []bool{false, true} {
			release := make(chan struct{})
			old := start(t, back, func(net.Conn) { <-release })
			p := serve(t, front, Options{Park: limit, ProxyProtocol: header})
			p.Add(1, old.dial())
			p.Switch(1, 100)
			c := p.client(t)
			eventually(t, "accepted", func() bool { return old.accepted.Load() == 1 })
			old.Close()
			close(release)
			eventually(t, "parked", func() bool { return p.Stats().Parked == 1 })
			next := start(t, back, func(c net.Conn) {
				if header {
					readHeader(t, c)
				}
				says("two")(c)
			})
			p.Add(2, next.dial())
			p.Switch(2, 100)
			p.Remove(1)
			ask(t, c, "a", "two a")
			if s := p.Stats(); s.Rescued == 0 {
				t.Errorf("header %v: stats %+v", header, s)
			}
			p.Close()
		}
	})
}

// What waits in the queue of a program that never accepted it is safe, as long as
// nothing was sent: on unix the end of the listener is an ECONNRESET.
func TestNeverAcceptedIsRescued(t *testing.T) {
	for _, back := range networks {
		old := listen(t, back)
		p := serve(t, "tcp", Options{Park: limit})
		p.Add(1, dialer(old.Addr()))
		p.Switch(1, 100)
		c := p.client(t)
		eventually(t, "relayed", func() bool { return p.relayed() == 1 })
		p.Add(2, start(t, back, says("two")).dial())
		p.Switch(2, 100)
		old.Close()
		ask(t, c, "a", "two a")
	}
}

func (p *Proxy) relayed() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.phase == relaying {
			n++
		}
	}
	return n
}

// A request that was sent may have been executed, also where part of it was unread.
func TestSentRequestIsNotReplayed(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		old := start(t, back, func(c net.Conn) { io.ReadFull(c, make([]byte, 1)) })
		p := serve(t, front, Options{Park: limit})
		p.Add(1, old.dial())
		p.Switch(1, 100)
		c := p.client(t)
		eventually(t, "relayed", func() bool { return p.relayed() == 1 })
		next := start(t, back, says("two"))
		p.Add(2, next.dial())
		p.Switch(2, 100)
		io.WriteString(c, "pay\n")
		if b, _ := io.ReadAll(c); len(b) > 0 || next.accepted.Load() > 0 {
			t.Errorf("read %q, the next launch accepted %d", b, next.accepted.Load())
		}
	})
}

// A program that ends what it accepts is left alone after a few times.
func TestRescueEnds(t *testing.T) {
	for _, back := range networks {
		full := start(t, back, dies)
		p := serve(t, "tcp", Options{Park: limit})
		p.Add(1, full.dial())
		p.Switch(1, 100)
		c := p.client(t)
		wantEOF(t, c)
		if n := full.accepted.Load(); n != 1+rescuesMax {
			t.Errorf("%s: accepted %d times", back, n)
		}
		eventually(t, "forgotten", func() bool { return p.Stats().InFlight == 0 || back == "tcp" })
	}
}

func TestSteeredIsNotRescued(t *testing.T) {
	old := start(t, "unix", dies)
	p := serve(t, "tcp", Options{Park: limit})
	p.Add(1, old.dial())
	p.Add(2, start(t, "unix", says("two")).dial())
	p.Switch(2, 100)
	c, err := p.Dial(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wantEOF(t, c)
	if n := old.accepted.Load(); n != 1 {
		t.Errorf("accepted %d times", n)
	}
}

func TestRemoveDeliversWhatTheProgramHasWritten(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		big := strings.Repeat("x", 150_000) // fits into the sockets' buffers
		wrote := make(chan struct{})
		b := start(t, back, func(c net.Conn) {
			io.ReadFull(c, make([]byte, 1))
			io.WriteString(c, big)
			close(wrote)
		})
		p := serve(t, front, Options{Park: limit})
		p.Add(1, b.dial())
		p.Switch(1, 100)
		c := p.client(t)
		io.WriteString(c, "x")
		<-wrote
		b.Close()
		p.Remove(1)
		if n := p.InFlight(1); n != 0 {
			t.Errorf("%d in flight of a launch that is gone", n)
		}
		if all, err := io.ReadAll(c); err != nil || string(all) != big {
			t.Errorf("read %d bytes, %v; want %d", len(all), err, len(big))
		}
		eventually(t, "forgotten", func() bool { return p.Stats().InFlight == 0 })
	})
}

func TestRemoveCounts(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	b := start(t, "unix", says("one"))
	p.Add(1, b.dial())
	p.Switch(1, 100)
	for range 3 {
		ask(t, p.client(t), "a", "one a")
	}
	idle := p.client(t)
	eventually(t, "four relayed", func() bool { return p.relayed() == 4 })
	if n := p.Remove(1); n != 3 {
		t.Errorf("%d cut, want the 3 through which bytes have gone", n)
	}
	if n := p.Remove(1); n != 0 {
		t.Errorf("%d cut by the second call", n)
	}
	_ = idle
}
