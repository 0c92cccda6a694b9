package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/internal/testenv"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// trafficSuite is what a launch does with listeners that gatewayd owns.
func trafficSuite(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *bench){
		"inherit":                suiteInherit,
		"inherit with init":      suiteInheritInit,
		"inherit, no network":    suiteInheritNoNetwork,
		"steered probe":          suiteSteeredProbe,
		"in flight":              suiteInFlight,
		"take over":              suiteTakeOver,
		"frozen standby":         suiteFrozenStandby,
		"crash under a listener": suiteCrashListening,
		"another image inherits": suiteImageInherits,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// inheriting is a gateway whose program inherits a socket of each address.
func (b *bench) inheriting(how string, addresses ...string) config.Gateway {
	b.t.Helper()
	g := gatewayOn(b.source(), "/prog", "program", "inherit", how)
	g.Mounts = append(g.Mounts, config.Mount{Source: reachableSelf(), Target: "/prog", ReadOnly: true})
	g.Staging = b.staging
	for i, address := range addresses {
		g.Listen = append(g.Listen, config.Listen{Name: []string{"http", "admin", "third"}[i], Address: address, Mode: "inherit", Backlog: 128})
	}
	return g
}

// site is a gateway with several launches.
type site struct {
	*Launcher
	b *bench
	g config.Gateway
}

// site makes the gateway known. Its listeners are given up at the end of the test.
func (b *bench) site(g config.Gateway) *site {
	b.t.Helper()
	s := &site{NewLauncher(b.Host), b, g}
	b.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.t.Error(err)
		}
		if len(s.Listens()) > 0 {
			b.t.Errorf("listeners are left: %+v", s.Listens())
		}
	})
	must(b.t, s.Define(g.Revision(), g))
	return s
}

// prepare is the next launch, which is cleaned at the end of the test.
func (s *site) prepare() *run {
	s.b.t.Helper()
	s.b.next++
	r := &run{s.Launcher, s.b.t, s.b, s.b.next, nil}
	s.b.t.Cleanup(r.clean)
	var err error
	r.exits, err = s.Prepare(s.b.t.Context(), r.n, s.g.Revision())
	must(s.b.t, err)
	return r
}

// ready is the next launch, once its program serves; it gets no connections yet.
func (s *site) ready() *run {
	s.b.t.Helper()
	r := s.prepare()
	must(s.b.t, r.Start(s.b.t.Context(), r.n))
	r.says("ready")
	return r
}

// serving is the next launch, which gets all new connections.
func (s *site) serving() *run {
	s.b.t.Helper()
	r := s.ready()
	must(s.b.t, s.Switch(r.n, 100))
	return r
}

// address is what clients of listen i connect to.
func (s *site) address(i int) string { return s.ports.all()[i].Address() }

// get is the answer to a client of listen i.
func (s *site) get(i int, path string) (*http.Response, error) {
	network, address := "tcp", s.address(i)
	if at, ok := isUnix(address); ok {
		network, address = "unix", at
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	return client.Get("http://gateway" + path)
}

// answers fails unless a client of listen i is answered by launch n.
func (s *site) answers(i int, want string) {
	s.b.t.Helper()
	response, err := s.get(i, "/")
	must(s.b.t, err)
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != want {
		s.b.t.Errorf("answer of listen %d = %q, %v, want %q", i, body, err, want)
	}
}

func suiteInherit(t *testing.T, b *bench) {
	s := b.site(b.inheriting("", "127.0.0.1:0", "0.0.0.0:0", "unix:"+b.dir+"/socket"))
	s.serving()
	s.answers(0, "launch 1 http")
	s.answers(1, "launch 1 admin")
	s.answers(2, "launch 1 third")
	infos := s.Info(1).Listens
	if len(infos) != 3 || infos[0].Kind != listen.Slots || infos[2].Kind != listen.Shared || infos[2].Why == "" {
		t.Errorf("listens = %+v", infos)
	}
}

func suiteInheritInit(t *testing.T, b *bench) {
	g := b.inheriting("", "127.0.0.1:0")
	g.Isolation.Init = true
	s := b.site(g)
	s.serving()
	s.answers(0, "launch 1 http")
}

// The socket belongs to the host's network, where the program has none of its own.
func suiteInheritNoNetwork(t *testing.T, b *bench) {
	g := b.inheriting("", "127.0.0.1:0")
	g.Isolation.Network = "none"
	s := b.site(g)
	r := s.serving()
	s.answers(0, "launch 1 http")
	if posture := s.Info(r.n).Posture; !strings.Contains(posture, "net=none(listen)") {
		t.Errorf("posture = %q", posture)
	}
}

// A probe reaches the launch that it means, whoever gets the clients.
func suiteSteeredProbe(t *testing.T, b *bench) {
	for _, kind := range []config.ProbeKind{config.ProbeHTTP, config.ProbeTCP} {
		t.Run(string(kind), func(t *testing.T) {
			address := freeAddress(t)
			g := b.inheriting("", address)
			g.Ready.Probe = config.Probe{Kind: kind, URL: address}
			if kind == config.ProbeHTTP {
				g.Ready.Probe.URL = "http://" + address + "/"
			}
			s := b.site(g)
			old := s.serving()
			deaf := g
			deaf.Command = []string{"/prog", "program", "inherit", "idle"}
			s.g = deaf
			must(t, s.Define(deaf.Revision(), deaf))
			next := s.ready()
			must(t, s.Probe(t.Context(), old.n))
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := s.Probe(ctx, next.n); err == nil {
				t.Error("the probe of a launch that answers nobody was answered")
			}
			s.answers(0, fmt.Sprintf("launch %d http", old.n))
			must(t, s.Switch(next.n, 100))
			must(t, s.Probe(t.Context(), old.n))
			next.clean()
			old.clean()
			if err := s.Probe(t.Context(), old.n); err == nil {
				t.Error("the probe of a launch that is gone succeeds")
			}
			must(t, s.Close())
		})
	}
}

func suiteInFlight(t *testing.T, b *bench) {
	s := b.site(b.inheriting("", "127.0.0.1:0", "127.0.0.2:0"))
	one, two := s.serving(), s.ready()
	for i := range 2 {
		response, err := s.get(i, "/hold")
		must(t, err)
		defer func() { _ = response.Body.Close() }()
	}
	must(t, s.Switch(two.n, 100))
	s.answers(0, "launch 2 http")
	s.flies(one.n, 2)
	s.flies(two.n, 0)
	one.clean()
	s.flies(one.n, 0)
	if err := s.Switch(one.n, 100); err == nil {
		t.Error("connections are steered to what is gone")
	}
	must(t, s.Switch(one.n, 0))
	s.answers(0, "launch 2 http")
}

// flies waits until launch n has so many connections: the kernel ends those of a client a moment later.
func (s *site) flies(n, want int) {
	s.b.t.Helper()
	count := -1
	waitFor(s.b.t, "connections in flight", func() bool {
		var err error
		count, err = s.InFlight(s.b.t.Context(), n)
		must(s.b.t, err)
		return count == want
	})
}

// Whoever connects while nothing serves is answered by the next launch.
func suiteTakeOver(t *testing.T, b *bench) {
	s := b.site(b.inheriting("", "127.0.0.1:0"))
	answered := make(chan error, 1)
	ask := func() {
		response, err := s.get(0, "/")
		if err == nil {
			_ = response.Body.Close()
		}
		answered <- err
	}
	go ask() // before the first launch
	one := s.serving()
	must(t, <-answered)
	must(t, s.Kill(t.Context(), one.n))
	one.exit()
	go ask()
	waitFor(t, "a client that waits", func() bool { return s.Listens()[0].Waiting == 1 })
	standby := s.prepare() // before its predecessor is cleaned
	must(t, s.Switch(standby.n, 100))
	must(t, standby.Start(t.Context(), standby.n))
	must(t, <-answered)
	s.answers(0, "launch 2 http")
}

// A frozen launch gets no connection, and is there at once when it is wanted.
func suiteFrozenStandby(t *testing.T, b *bench) {
	if !b.Freezes() {
		testenv.Skip(t, "needs a delegated cgroup v2: run it in the test host (make test)")
	}
	s := b.site(b.inheriting("", "127.0.0.1:0"))
	serving, standby := s.serving(), s.ready()
	must(t, s.Freeze(t.Context(), standby.n, true))
	for range 20 {
		s.answers(0, "launch 1 http")
	}
	s.flies(standby.n, 0)
	must(t, s.Kill(t.Context(), serving.n))
	must(t, s.Freeze(t.Context(), standby.n, false))
	must(t, s.Switch(standby.n, 100))
	for range 20 {
		s.answers(0, "launch 2 http")
	}
}

// Connections in the queue of a launch that dies are answered by the one that serves.
func suiteCrashListening(t *testing.T, b *bench) {
	s := b.site(b.inheriting("idle", "127.0.0.1:0"))
	deaf := s.serving()
	answered := make(chan error, 1)
	go func() {
		response, err := s.get(0, "/")
		if err == nil {
			_ = response.Body.Close()
		}
		answered <- err
	}()
	waitFor(t, "a client that waits", func() bool { return s.Info(deaf.n).Listens[0].Waiting == 1 })
	s.g = b.inheriting("", "127.0.0.1:0")
	must(t, s.Define(s.g.Revision(), s.g))
	next := s.ready()
	must(t, s.Switch(next.n, 100))
	must(t, s.Kill(t.Context(), deaf.n))
	must(t, <-answered)
	waitFor(t, "the news of the rescue", func() bool { return s.Listens()[0].Rescued == 1 })
}

func TestPortThatIsTaken(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	b := fakeBench(t)
	g := b.inheriting("", other.Addr().String())
	l := NewLauncher(b.Host)
	defer func() { must(t, l.Close()) }()
	if err := l.Define(g.Revision(), g); !errors.As(err, new(*listen.TakenError)) {
		t.Errorf("define = %v, want a TakenError", err)
	}
	_, err = l.Prepare(t.Context(), 1, g.Revision())
	if !errors.Is(err, supervisor.ErrPermanent) || !errors.As(err, new(*listen.TakenError)) {
		t.Errorf("prepare = %v, want a permanent TakenError", err)
	}
	must(t, l.Clean(t.Context(), 1))
	must(t, other.Close())
	_, err = l.Prepare(t.Context(), 2, g.Revision())
	must(t, err)
	if n := len(l.Listens()); n != 1 { // else it would not be looked at, nor be handed to another image
		t.Errorf("the gateway has %d listeners", n)
	}
	must(t, l.Clean(t.Context(), 2))
}

// What no known revision and no launch listens on is given up.
func TestListenersOfRevisions(t *testing.T) {
	b := fakeBench(t)
	one := b.inheriting("idle", "127.0.0.1:0")
	two := b.inheriting("idle", "127.0.0.1:0")
	two.Listen[0].Name = "other"
	two.Listen[0].Address = "[::1]:0"
	s := b.site(one)
	r := s.ready()
	before := s.address(0)
	must(t, s.Define(one.Revision()+" again", one))
	if after := s.address(0); after != before || len(s.Listens()) != 1 {
		t.Errorf("the listener was %s and is %s, of %d", before, after, len(s.Listens()))
	}
	must(t, s.Define(two.Revision(), two))
	s.Forget(one.Revision())
	s.Forget(one.Revision() + " again")
	if n := len(s.Listens()); n != 2 {
		t.Errorf("%d listeners while a launch has one of them", n)
	}
	r.clean()
	if infos := s.Listens(); len(infos) != 1 || infos[0].Name != "other" {
		t.Errorf("listeners after the launch: %+v", infos)
	}
}

// A launch that begins beside the one that serves leaves to the next one what waits for
// that, also when the one that serves ends meanwhile.
func TestSpareLaunch(t *testing.T) {
	b := told(t, 0, "")
	s := b.site(b.inheriting("idle", "127.0.0.1:0"))
	one := s.prepare()
	must(t, s.Switch(one.n, 100))
	b.next++
	la, err := s.begin(t.Context(), b.next, s.g.Revision())
	must(t, err)
	one.clean()
	must(t, la.takePorts(t.Context()))
	if h := la.holdings()[0]; h.slot.Index() == h.Steered() {
		t.Error("it has what waits for the next launch")
	}
	la.releasePorts()
	la.give()
	must(t, s.Clean(t.Context(), b.next))
	if two := s.prepare(); two.Info(two.n).Listens[0].Slot != s.find(two.n).holdings()[0].Steered() {
		t.Error("the next launch does not have it")
	}
}
