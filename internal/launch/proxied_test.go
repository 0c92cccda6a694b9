package launch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
)

// proxySuite is what a launch does behind a proxy.
func proxySuite(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *bench){
		"proxy to a socket":          suiteProxySocket,
		"proxy without a network":    suiteProxyNoNetwork,
		"proxy to a port":            suiteProxyPort,
		"proxy to a link":            suiteProxyLink,
		"proxy, and nothing listens": suiteProxyDeaf,
		"proxy to two sockets":       suiteProxyTwo,
		"another image, proxy":       suiteImageBehindProxy,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// proxied is a gateway whose program serves behind a proxy, where at says.
func (b *bench) proxied(at, address, to string) config.Gateway {
	b.t.Helper()
	g := gatewayOn(b.source(), "/prog", "program", "behind", at)
	g.Mounts = append(g.Mounts, config.Mount{Source: reachableSelf(), Target: "/prog", ReadOnly: true})
	g.Staging = b.staging
	g.Listen = []config.Listen{{Name: "http", Address: address, Mode: "proxy", To: to, Park: patience}}
	return g
}

// steersProxied deploys twice, and probes each launch while the other serves.
func steersProxied(t *testing.T, b *bench, g config.Gateway) {
	t.Helper()
	address := freeAddress(t)
	g.Listen[0].Address = address
	g.Ready.Probe = config.Probe{Kind: config.ProbeHTTP, URL: "http://" + address}
	s := b.site(g)
	one := s.serving()
	s.answers(0, "launch 1 behind")
	response, err := s.get(0, "/hold")
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	two := s.ready()
	must(t, s.Probe(t.Context(), two.n))
	must(t, s.Probe(t.Context(), one.n))
	s.answers(0, "launch 1 behind")
	must(t, s.Switch(two.n, 100))
	s.answers(0, "launch 2 behind")
	s.flies(one.n, 1)
	s.flies(two.n, 0)
	must(t, s.Probe(t.Context(), one.n))
	one.clean()
	s.flies(one.n, 0)
	if err := s.Probe(t.Context(), one.n); err == nil {
		t.Error("the probe of a launch that is gone succeeds")
	}
	s.answers(0, "launch 2 behind")
}

func suiteProxySocket(t *testing.T, b *bench) {
	steersProxied(t, b, b.proxied("/run/web/http.sock", "", "unix:/run/web/http.sock"))
}

func suiteProxyNoNetwork(t *testing.T, b *bench) {
	g := b.proxied("/run/web/{launch}.sock", "", "unix:/run/web/{launch}.sock")
	g.Isolation.Network, g.Isolation.ReadOnly = "none", true
	steersProxied(t, b, g)
}

func suiteProxyPort(t *testing.T, b *bench) {
	steersProxied(t, b, b.proxied("port", "", "127.0.0.1:0"))
}

// A link that leads out of the directory does not lead gatewayd out of it.
func suiteProxyLink(t *testing.T, b *bench) {
	host := filepath.Join(b.dir, "host.sock")
	l, err := net.Listen("unix", host)
	must(t, err)
	defer func() { _ = l.Close() }()
	g := b.gateway("ln -s " + host + " /run/web/http.sock; echo ready; sleep 1000")
	g.Listen = b.proxied("", "127.0.0.1:0", "unix:/run/web/http.sock").Listen
	s := b.site(g)
	r := s.serving()
	if _, err := s.find(r.n).holdings()[0].target.dial(t.Context()); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("dial = %v, want that nothing is there", err)
	}
}

func suiteProxyDeaf(t *testing.T, b *bench) {
	address := freeAddress(t)
	g := b.gateway("echo ready; sleep 1000")
	g.Listen = b.proxied("", address, "unix:/run/web/http.sock").Listen
	g.Listen[0].Park = 10 * time.Millisecond
	for kind, url := range map[config.ProbeKind]string{config.ProbeHTTP: "http://" + address, config.ProbeTCP: address} {
		g.Ready.Probe = config.Probe{Kind: kind, URL: url}
		s := b.site(g)
		r := s.serving()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := s.Probe(ctx, r.n); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("probe by %s = %v", kind, err)
		}
		response, err := s.get(0, "/")
		must(t, err)
		_ = response.Body.Close()
		if response.StatusCode != 503 || s.Listens()[0].Refused != 1 {
			t.Errorf("status %d, listens %+v", response.StatusCode, s.Listens())
		}
		r.clean()
		must(t, s.Close())
	}
}

// Two sockets may lie in one directory.
func suiteProxyTwo(t *testing.T, b *bench) {
	g := b.proxied("/run/web/one", "127.0.0.1:0", "unix:/run/web/one")
	other := b.proxied("", "127.0.0.2:0", "unix:/run/web/two").Listen[0]
	other.Name = "two"
	g.Listen = append(g.Listen, other)
	s := b.site(g)
	s.serving()
	s.answers(0, "launch 1 behind")
}

// A program without a container is behind a proxy by its port.
func TestBareBehindProxy(t *testing.T) {
	b := bareBench(t)
	g := b.bareServing("behind", "port")
	g.Listen = b.proxied("", "", "127.0.0.1:0").Listen
	steersProxied(t, b, g)
}

// bareServing is a bare gateway that is this binary.
func (b *bench) bareServing(arguments ...string) config.Gateway {
	b.t.Helper()
	must(b.t, copyFile("/proc/self/exe", filepath.Join(b.source(), "prog")))
	g := gatewayOn(b.source(), append([]string{"/prog", "program"}, arguments...)...)
	g.Mounts, g.Isolation.Bare = nil, true
	return g
}

func TestBareInherits(t *testing.T) {
	stray, err := unix.FcntlInt(1, unix.F_DUPFD, 100) // as whoever starts gatewayd may leave one open
	must(t, err)
	defer func() { must(t, unix.Close(stray)) }()
	b := bareBench(t)
	g := b.bareServing("inherit", "")
	g.Listen = b.inheriting("", "127.0.0.1:0", "[::1]:0").Listen
	s := b.site(g)
	one, two := s.serving(), s.ready()
	s.answers(0, "launch 1 http")
	s.answers(1, "launch 1 admin")
	must(t, s.Switch(two.n, 100))
	must(t, s.Kill(t.Context(), one.n))
	s.answers(0, "launch 2 http")
	s.prepare() // and never started
}

// Another revision may want another header, and longer patience, at the same address.
func TestHeaderOfTheRevision(t *testing.T) {
	b := fakeBench(t)
	g := b.proxied("port", "127.0.0.1:0", "127.0.0.1:0")
	s := b.site(g)
	one := s.serving()
	s.answers(0, "launch 1 behind")
	s.g.Listen = slices.Clone(g.Listen)
	s.g.Listen[0].ProxyProtocol, s.g.Listen[0].Park = true, time.Millisecond
	must(t, s.Define("other", s.g))
	s.b.next++
	_, err := s.Prepare(t.Context(), s.b.next, "other")
	must(t, err)
	two := s.b.next
	t.Cleanup(func() { must(t, s.Clean(context.Background(), two)) })
	must(t, s.Start(t.Context(), two))
	if !b.out.wait(s.Info(two).ID, "ready") {
		t.Fatal("it does not serve")
	}
	s.answers(0, "launch 1 behind")
	must(t, s.Switch(two, 100))
	response, err := s.get(0, "/") // the program takes the header for a bad request
	must(t, err)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d with a PROXY header", response.StatusCode)
	}
	must(t, s.Switch(one.n, 100))
	s.answers(0, "launch 1 behind")
	must(t, s.Switch(one.n, 0))
	response, err = s.get(0, "/")
	must(t, err)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d after a short park", response.StatusCode)
	}
}

// What a container makes in the directory of its socket goes with it.
func suiteProxyClosed(t *testing.T, b *bench) {
	g := b.gateway("mkdir -p /run/web/in/side && chown 33 /run/web/in /run/web/in/side && chmod 0 /run/web/in/side /run/web/in && echo ready; sleep 1000")
	g.Listen = b.proxied("", "127.0.0.1:0", "unix:/run/web/http.sock").Listen
	b.site(g).ready().clean()
	b.nothingLeft(t)
}
