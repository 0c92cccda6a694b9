package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
)

// hostileSuite is what a program may do to what it shares with gatewayd.
func hostileSuite(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *bench){
		"hostile to its listener":     suiteHostileListener,
		"hostile to a shared socket":  suiteHostileShared,
		"hostile behind a proxy":      suiteHostileBehind,
		"descriptors of the launches": suiteListenLeaks,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// misbehaving is what a program may do to its socket, by the argument of inherit.
var misbehaving = []string{"idle", "shutdown", "block", "close"}

// Whatever a launch does to its socket, its probe fails, and the next one serves.
func suiteHostileListener(t *testing.T, b *bench) {
	for _, how := range misbehaving {
		t.Run(how, func(t *testing.T) {
			address := freeAddress(t)
			g := b.inheriting(how, address)
			g.Ready.Probe = config.Probe{Kind: config.ProbeHTTP, URL: "http://" + address}
			s := b.site(g)
			defer func() { must(t, s.Close()) }()
			hostile := s.serving()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := s.Probe(ctx, hostile.n); err == nil {
				t.Error("the probe of a launch that answers nobody was answered")
			}
			good := b.inheriting("", address)
			good.Ready = g.Ready
			s.g = good
			must(t, s.Define(good.Revision(), good))
			next := s.ready()
			must(t, s.Probe(t.Context(), next.n))
			must(t, s.Switch(next.n, 100))
			s.answers(0, "launch "+fmt.Sprint(next.n)+" http")
			hostile.clean()
			for range 3 { // one of them takes the slot of the hostile one
				last := s.ready()
				must(t, s.Probe(t.Context(), last.n))
				must(t, s.Switch(last.n, 100))
				s.answers(0, "launch "+fmt.Sprint(last.n)+" http")
				next.clean()
				next = last
			}
			next.clean()
		})
	}
}

// A unix socket is one for all launches.
func suiteHostileShared(t *testing.T, b *bench) {
	for _, how := range misbehaving {
		t.Run(how, func(t *testing.T) {
			g := b.inheriting(how, "unix:"+b.dir+"/"+how)
			s := b.site(g)
			defer func() { must(t, s.Close()) }()
			s.serving().clean()
			s.g = b.inheriting("", "unix:"+b.dir+"/"+how)
			must(t, s.Define(s.g.Revision(), s.g))
			waitFor(t, "the socket to be mended", func() bool { return s.ports.all()[0].mending.Load() == 0 })
			next := s.serving()
			s.answers(0, "launch "+fmt.Sprint(next.n)+" http")
			next.clean()
		})
	}
}

// behindBadly is a program that answers gatewayd with descriptors, or not at all.
func behindBadly(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if _, err := c.Read(make([]byte, 4096)); err != nil { // an answer before the question would be no HTTP
			return err
		}
		rights := unix.UnixRights(0, 1, 2)
		_, _, err = c.(*net.UnixConn).WriteMsgUnix([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfds"), rights, nil)
		if err := errors.Join(err, c.Close()); err != nil {
			return err
		}
	}
}

// Descriptors that a program sends along end on their way: nobody takes them.
func suiteHostileBehind(t *testing.T, b *bench) {
	g := b.proxied("/run/web/socket", "127.0.0.1:0", "unix:/run/web/socket")
	g.Command[2] = "badly"
	s := b.site(g)
	s.serving()
	s.answers(0, "fds")
	before := descriptors(t)
	for range 10 {
		s.answers(0, "fds")
	}
	waitFor(t, "the end of the connections", func() bool { return s.Listens()[0].InFlight == 0 })
	if after := descriptors(t); len(after) > len(before)+2 { // of the test's own connections
		t.Errorf("descriptors before %q\nand after %q", before, after)
	}
}

func suiteListenLeaks(t *testing.T, b *bench) {
	inherit, proxied := b.inheriting("", "127.0.0.1:0", "127.0.0.2:0"), b.proxied("/run/web/socket", "127.0.0.1:0", "unix:/run/web/socket")
	leaksNothing(t, 3, func() {
		for _, g := range []config.Gateway{inherit, proxied} {
			s := b.site(g)
			r := s.serving()
			s.answers(0, fmt.Sprintf("launch %d %s", r.n, map[bool]string{true: "http", false: "behind"}[g.Listen[0].Mode == "inherit"]))
			r.clean()
			must(t, s.Close())
		}
	})
}

// A program that is missing gives back what its launch had taken.
func TestFailedPrepareReleases(t *testing.T) {
	b := told(t, 0, "create-refuse-late")
	g := b.inheriting("idle", "127.0.0.1:0")
	s := b.site(g)
	for n := 1; n <= 10; n++ { // more than there are slots
		if _, err := s.Prepare(t.Context(), n, g.Revision()); err == nil {
			t.Fatal("prepare succeeds")
		}
		if s.Info(n).Listens != nil {
			t.Errorf("launch %d still holds %+v", n, s.Info(n).Listens)
		}
		defer func() { must(t, s.Clean(context.Background(), n)) }()
	}
}

// The launch's own stands where the configuration says, and nowhere else.
func TestCommandHasTheLaunchsOwn(t *testing.T) {
	b := fakeBench(t)
	g := b.proxied("", "127.0.0.1:0", "127.0.0.1:0")
	g.Command = []string{"/bin/sh", "-c", "echo {launch} {port} $GATEWAYD_LAUNCH $PORT ready"}
	s := b.site(g)
	r := s.prepare()
	must(t, r.Start(t.Context(), r.n))
	r.exit()
	words := strings.Fields(strings.Join(b.out.texts(r.id()), " "))
	port := s.find(r.n).targets[0].chosen
	if want := []string{"1", port, "1", port, "ready"}; !slices.Equal(words, want) || port == "" {
		t.Errorf("output = %q, want %q", words, want)
	}
	g = b.inheriting("", "127.0.0.1:0")
	g.Command = []string{"/bin/sh", "-c", "launch=x; echo ${launch} $LISTEN_FDS ready"}
	s = b.site(g)
	r = s.prepare()
	must(t, r.Start(t.Context(), r.n))
	r.says("x 1 ready")
	r.exit()
}
