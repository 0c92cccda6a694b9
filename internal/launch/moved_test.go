package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// revise makes another revision of the gateway known, and what follows is of it.
func (s *site) revise(change func(*config.Listen)) {
	s.b.t.Helper()
	s.g.Listen = slices.Clone(s.g.Listen)
	change(&s.g.Listen[0])
	must(s.b.t, s.Define(s.g.Revision(), s.g))
}

// An address goes from one gateway to another while launches of both have it.
func TestAddressOfAnotherGateway(t *testing.T) {
	b := bareBench(t)
	g := b.bareServing("inherit", "")
	g.Listen = b.inheriting("", freeAddress(t)).Listen
	web := b.site(g)
	old := web.serving()
	client := connected(t, web.address(0))
	renamed := g
	renamed.Name = "site"
	renamed.Listen = []config.Listen{{Name: "other", Address: g.Listen[0].Address, Mode: "inherit"}}
	site := b.site(renamed)
	next := site.ready()
	site.answers(0, fmt.Sprintf("launch %d http", old.n))
	must(t, site.Switch(next.n, 100))
	site.answers(0, fmt.Sprintf("launch %d other", next.n))
	old.clean()
	must(t, web.Close())
	site.answers(0, fmt.Sprintf("launch %d other", next.n))
	_ = client.Close()
	next.clean()
	waiting := connected(t, site.address(0)) // is not refused
	_ = waiting.Close()
}

// A launch that drains is not done while clients come to it, since another gateway is
// to have its address and does not serve there yet.
func TestDrainLastsUntilAnotherGatewayServes(t *testing.T) {
	for _, mode := range []string{"inherit", proxied} {
		t.Run(mode, func(t *testing.T) {
			b := bareBench(t)
			address := freeAddress(t)
			g := b.bareServing("inherit", "")
			g.Listen = b.inheriting("", address).Listen
			heir := g
			if mode == proxied {
				g = b.bareServing("behind", "port")
				g.Listen = b.proxied("", address, "127.0.0.1:0").Listen
			}
			web := b.site(g)
			old := web.serving()
			web.flies(old.n, 0)
			heir.Name = "site"
			site := b.site(heir)
			next := site.ready()
			if n, err := web.InFlight(t.Context(), old.n); err == nil || errors.Is(err, supervisor.ErrUncounted) {
				t.Errorf("%d connections in flight, %v", n, err)
			}
			must(t, site.Switch(next.n, 100))
			web.flies(old.n, 0)
		})
	}
}

func connected(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	must(t, err)
	return c
}

// Whatever else is said of a listen, its address stays, and who serves goes on.
func TestListenIsChanged(t *testing.T) {
	b := bareBench(t)
	g := b.bareServing("inherit", "")
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	g.Listen = b.inheriting("", address).Listen
	s := b.site(g)
	old := s.serving()
	s.revise(func(l *config.Listen) { l.Name, l.Backlog, l.Address = "www", 7, "localhost:"+port })
	next := s.ready()
	s.answers(0, fmt.Sprintf("launch %d http", old.n))
	must(t, s.Switch(next.n, 100))
	s.answers(0, fmt.Sprintf("launch %d www", next.n))
	if infos := s.Listens(); len(infos) != 1 || infos[0].Name != "www" || infos[0].Address != "localhost:"+port {
		t.Errorf("listens are %+v", infos)
	}
}

// A program that inherits and one behind a proxy take turns at an address.
func TestModeIsChanged(t *testing.T) {
	for _, address := range []string{"tcp", "unix"} {
		t.Run(address, func(t *testing.T) {
			b := bareBench(t)
			inherits, behind := b.bareServing("inherit", ""), b.bareServing("behind", "port")
			at := freeAddress(t)
			if address == "unix" {
				at = "unix:" + b.dir + "/socket"
			}
			inherits.Listen = b.inheriting("", at).Listen
			behind.Listen = b.proxied("", at, "127.0.0.1:0").Listen
			if address == "tcp" {
				behind.Ready.Probe = config.Probe{Kind: config.ProbeHTTP, URL: "http://" + at}
			}
			s := b.site(inherits)
			old := s.serving()
			for range 2 {
				for _, g := range []config.Gateway{behind, inherits} {
					s.g = g
					must(t, s.Define(g.Revision(), g))
					next := s.ready()
					must(t, s.Probe(t.Context(), next.n))
					if address == "tcp" {
						s.answers(0, answerOf(old.n, s.find(old.n).gateway))
					}
					must(t, s.Switch(next.n, 100))
					must(t, s.Probe(t.Context(), next.n))
					old.clean()
					s.answers(0, answerOf(next.n, g))
					old = next
				}
			}
			s.ListenFor(inherits.Revision())
			if sits := s.ports.all()[0].seat != nil; sits {
				t.Error("the proxy has stayed")
			}
		})
	}
}

func answerOf(n int, g config.Gateway) string {
	if g.Listen[0].Mode == proxied {
		return fmt.Sprintf("launch %d behind", n)
	}
	return fmt.Sprintf("launch %d http", n)
}

// Who waits for a launch behind the proxy is served by one that inherits.
func TestParkedAreServedByOneThatInherits(t *testing.T) {
	b := bareBench(t)
	behind, inherits := b.bareServing("behind", "port"), b.bareServing("inherit", "")
	behind.Listen = b.proxied("", freeAddress(t), "127.0.0.1:0").Listen
	inherits.Listen = b.inheriting("", behind.Listen[0].Address).Listen
	s := b.site(behind)
	answered := make(chan error, 1)
	go func() {
		response, err := s.get(0, "/")
		if err == nil && response.StatusCode != 200 {
			err = fmt.Errorf("status %d", response.StatusCode)
		}
		answered <- err
	}()
	waitFor(t, "the client to be parked", func() bool { return s.Listens()[0].Waiting == 1 })
	s.g = inherits
	must(t, s.Define(inherits.Revision(), inherits))
	s.serving()
	must(t, <-answered)
}

// Another address of ours is in the way until its gateway is gone.
func TestOverlappingAddressIsWaitedFor(t *testing.T) {
	b := bareBench(t)
	g := b.bareServing("inherit", "")
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	g.Listen = b.inheriting("", "0.0.0.0:"+port).Listen
	web := b.site(g)
	old := web.serving()
	g.Name = "site"
	g.Listen = b.inheriting("", address).Listen
	site := NewLauncher(b.Host)
	t.Cleanup(func() { must(t, site.Close()) })
	if err := site.Define("1", g); !b.addresses.inOurWay(err) {
		t.Fatalf("an address that is taken is opened: %v", err)
	}
	prepared := make(chan error, 1)
	b.next++
	n := b.next
	go func() {
		_, err := site.Prepare(t.Context(), n, "1")
		prepared <- err
	}()
	t.Cleanup(func() { must(t, site.Clean(context.Background(), n)) })
	select {
	case err := <-prepared:
		t.Fatalf("it has not waited: %v", err)
	case <-time.After(10 * time.Millisecond): // the other way round nothing would fail
	}
	old.clean()
	must(t, web.Close())
	must(t, <-prepared)
}

// A systemd socket that nobody wants at first is there for a later revision.
func TestLentSocketIsTakenLater(t *testing.T) {
	b := bareBench(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	file, err := l.(*net.TCPListener).File()
	must(t, err)
	_ = l.Close()
	b.Sockets = listen.NewSockets(map[string][]*os.File{"web": {file}})
	if closed := b.Sockets.CloseRest(); len(closed) > 0 {
		t.Errorf("closed are %s", closed)
	}
	g := b.bareServing("inherit", "")
	g.Listen = b.inheriting("", "systemd:web").Listen
	s := b.site(g)
	s.serving()
	s.answers(0, "launch 1 http")
}
