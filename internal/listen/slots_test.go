package listen

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// families are addresses of each kind, with what clients on this machine connect to.
var families = map[string][]string{
	"127.0.0.1:0": {"127.0.0.1"},
	"0.0.0.0:0":   {"127.0.0.1", "127.0.0.9"},
	"[::1]:0":     {"::1"},
	"[::]:0":      {"::1", "127.0.0.1"},
	":0":          {"::1", "127.0.0.1"},
}

// needs skips t where there is no such address.
func needs(t *testing.T, hosts ...string) {
	t.Helper()
	for _, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			testenv.Skip(t, "needs an address that this machine does not have: "+err.Error())
		}
		l.Close()
	}
}

func port(p *Port) string {
	_, port, _ := net.SplitHostPort(p.Address())
	return port
}

func TestSteering(t *testing.T) {
	for address, hosts := range families {
		t.Run(address, func(t *testing.T) {
			needs(t, hosts...)
			p := begin(t, address)
			if p.Kind() != Slots {
				t.Fatal(p.Why())
			}
			one, two := launch(t, p, "one"), launch(t, p, "two")
			for _, want := range []*server{one, two, one} {
				if err := p.Steer(want.Slot, 100); err != nil {
					t.Fatal(err)
				}
				for _, host := range hosts {
					if got := who(t, net.JoinHostPort(host, port(p))); got != want.name {
						t.Errorf("%s reaches %q, want %q", host, got, want.name)
					}
				}
				for _, s := range []*server{one, two} {
					if got := answer(t, dial(t, s.Slot)); got != s.name {
						t.Errorf("what is meant for %q reaches %q", s.name, got)
					}
				}
			}
		})
	}
}

// A client from the outside may use the very source port of a probe.
func TestInFlightIsOfTheSlot(t *testing.T) {
	for address, hosts := range families {
		t.Run(address, func(t *testing.T) {
			needs(t, hosts...)
			p := begin(t, address)
			one, two := take(t, p), take(t, p)
			for n, s := range []*Slot{one, two} {
				if err := p.Steer(s, 100); err != nil {
					t.Fatal(err)
				}
				for range 3 + n {
					for _, host := range hosts {
						c, err := net.Dial("tcp", net.JoinHostPort(host, port(p)))
						if err != nil {
							t.Fatal(err)
						}
						defer c.Close()
					}
				}
			}
			for n, s := range []*Slot{one, two} {
				want := (3 + n) * len(hosts)
				eventually(t, "all are counted", func() bool { got, err := s.InFlight(); return err == nil && got == want })
			}
		})
	}
}

// What a program has closed is no connection of it, whatever the kernel still has to send.
func TestInFlightWithoutWhatIsClosed(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	s := take(t, p)
	l := listener(t, s)
	client := connectTo(t, p)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)) // the client does not read
	for err == nil {
		_, err = c.Write(make([]byte, 1<<20))
	}
	if n, err := s.InFlight(); n != 1 || err != nil {
		t.Errorf("%d in flight (%v)", n, err)
	}
	c.Close()
	if e, err := find(p.at.client(), client.LocalAddr().(*net.TCPAddr).AddrPort()); err != nil || e.state != stateFinWait1 {
		t.Fatalf("state %d, %v: this tests nothing", e.state, err)
	}
	if n, err := s.InFlight(); n != 0 || err != nil {
		t.Errorf("%d in flight of none (%v)", n, err)
	}
}

// Slots of the same number on another address with the same port.
func TestInFlightIsOfTheAddress(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	other := begin(t, "127.0.0.2:"+port(p))
	s, o := take(t, p), take(t, other)
	connectTo(t, p)
	for slot, want := range map[*Slot]int{s: 1, o: 0} {
		if n, err := slot.InFlight(); n != want || err != nil {
			t.Errorf("%d in flight, want %d (%v)", n, want, err)
		}
	}
}

// A program may end a connection before we can look who has it: it is never taken for
// another one's.
func TestDialToWhoEndsAtOnce(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	s := take(t, p)
	l := listener(t, s)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	good := 0
	for range 100 {
		c, err := s.Dial(within(t))
		if err == nil {
			good++
			c.Close()
		} else if !errors.Is(err, errOver) {
			t.Fatal(err)
		}
	}
	if good < 50 {
		t.Errorf("%d of 100 connections are proved", good)
	}
}

func TestCanary(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	old, canary := launch(t, p, "old"), launch(t, p, "canary")
	share := func(percent int) (got int) {
		if err := p.Steer(canary.Slot, percent); err != nil {
			t.Fatal(err)
		}
		for range 400 {
			if who(t, p.Address()) == "canary" {
				got++
			}
		}
		return got
	}
	if err := p.Steer(old.Slot, 100); err != nil {
		t.Fatal(err)
	}
	if got := share(25); got < 40 || got > 180 { // 100 of 400; six deviations to each side
		t.Errorf("25 %% are %d of 400", got)
	}
	if got := share(0); got != 0 {
		t.Errorf("%d reach the canary that was taken back", got)
	}
	share(50)
	canary.end()
	for range 50 {
		if got := who(t, p.Address()); got != "old" {
			t.Fatalf("%q answers for a canary that is dead", got)
		}
	}
	if n := p.Rescued(); n > 0 {
		t.Errorf("%d were steered to a dead canary", n)
	}
}

func TestSteerRefuses(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	s := take(t, p)
	if err := p.Steer(s, 101); err == nil {
		t.Error("101 % is taken")
	}
	s.Release()
	s.Release()
	if err := p.Steer(s, 100); err == nil {
		t.Error("a slot that was given back is steered to")
	}
	if _, err := s.Dial(within(t)); err == nil {
		t.Error("a slot that was given back is connected to")
	}
}

// The steered slot comes first, for what waits in it waits for the next launch.
func TestTake(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	var held []*Slot
	for range slots {
		held = append(held, take(t, p))
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := p.Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a ninth slot: %v", err)
	}
	if err := p.Steer(held[5], 100); err != nil {
		t.Fatal(err)
	}
	got := make(chan *Slot)
	go func() { s, _ := p.Take(within(t)); got <- s }()
	held[2].Release()
	if s := <-got; s.Index() != 2 {
		t.Errorf("slot %d was free, and %d is taken", 2, s.Index())
	}
	held[1].Release()
	held[5].Release()
	if s, err := p.TakeSpare(within(t)); err != nil || s.Index() != 1 {
		t.Errorf("a spare slot: %v, %v", s, err)
	}
	if s := take(t, p); s.Index() != 5 {
		t.Errorf("slot %d is taken and not the steered one", s.Index())
	}
}

// What comes while nobody serves waits for the next launch.
func TestWaitingIsServed(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	before, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	one := launch(t, p, "one")
	if got := answer(t, before); got != "one" {
		t.Errorf("the first launch does not serve who came before it: %q", got)
	}
	one.end()
	between, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	if n := p.Waiting(); n != 1 {
		t.Errorf("%d wait, want 1", n)
	}
	launch(t, p, "two")
	if got := answer(t, between); got != "two" {
		t.Errorf("%q answers", got)
	}
	if n := p.Rescued(); n != 0 {
		t.Errorf("%d had to be rescued", n)
	}
}

// Neither os/exec nor we may turn O_NONBLOCK off, which all who have the socket share.
func TestFileLeavesTheFlagAlone(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	s := take(t, p)
	f, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	program := exec.CommandContext(within(t), "true")
	program.ExtraFiles = append(program.ExtraFiles, f)
	if err := program.Run(); err != nil {
		t.Fatal(err)
	}
	if !nonblocking(t, p.members[0].fd) {
		t.Error("the slot blocks")
	}
}

func TestMembersAreAsTheyShouldBe(t *testing.T) {
	p := begin(t, "127.0.0.1:0", func(o *Options) { o.Backlog = 7 })
	for _, m := range p.members {
		if flags, _ := unix.FcntlInt(uintptr(m.fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s is inherited by everybody", m.name)
		}
		if !nonblocking(t, m.fd) {
			t.Errorf("%s blocks", m.name)
		}
		if protocol, _ := unix.GetsockoptInt(m.fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); protocol != unix.IPPROTO_TCP {
			t.Errorf("%s speaks protocol %d", m.name, protocol)
		}
		if info, err := unix.GetsockoptTCPInfo(m.fd, unix.IPPROTO_TCP, unix.TCP_INFO); err != nil || info.Sacked != 7 {
			t.Errorf("%s has a backlog of %d (%v)", m.name, info.Sacked, err)
		}
	}
	if err := (rule{}).attach(p.members[0].fd); !errors.Is(err, unix.EPERM) {
		t.Errorf("a program is attached through a slot: %v", err)
	}
}

func TestResolveRefuses(t *testing.T) {
	for address, want := range map[string]string{
		"unix:web.sock": "not absolute", "nonsense": "missing port", "127.0.0.1:nothing": "unknown port",
		"192.0.2.77:0": "cannot assign", "systemd:http": "FileDescriptorName=http", "127.0.0.1:99999": "invalid port",
	} {
		if p, err := Open(within(t), Options{Address: address}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
			if p != nil {
				p.Close()
			}
		}
	}
}
