package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// checkSuite is what happens to listeners behind gatewayd's back.
func checkSuite(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *bench){
		"removed path":            suiteRemovedPath,
		"removed path of a proxy": suiteRemovedPathOfProxy,
		"replaced path":           suiteReplacedPath,
		"stranger":                suiteStranger,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// A launch with the old socket ends, with the cause, and a standby goes before it; the
// next one has the new socket.
func suiteRemovedPath(t *testing.T, b *bench) {
	path := b.dir + "/socket"
	g := b.inheriting("", "unix:"+path)
	g.Stop = config.Stop{Signal: syscall.SIGTERM, Timeout: patience}
	s := b.site(g)
	one := s.serving()
	standby := s.prepare()
	b.checks.round()
	s.answers(0, "launch 1 http")
	must(t, os.Remove(path))
	b.checks.round()
	for _, r := range []*run{standby, one} {
		if err := r.exit().Cause(); !errors.Is(err, listen.ErrRenewed) {
			t.Errorf("launch %d ended: %v", r.n, err)
		}
	}
	s.serving()
	s.answers(0, "launch 3 http")
	b.checks.round()
	s.answers(0, "launch 3 http")
}

func suiteRemovedPathOfProxy(t *testing.T, b *bench) {
	path := b.dir + "/socket"
	s := b.site(b.proxied("/run/web/http.sock", "unix:"+path, "unix:/run/web/http.sock"))
	s.serving()
	s.answers(0, "launch 1 behind")
	must(t, os.Remove(path))
	b.checks.round()
	s.answers(0, "launch 1 behind")
}

// No launch is made that no client would reach, and the next one has the path as soon as
// it is free, also where nobody has looked meanwhile.
func suiteReplacedPath(t *testing.T, b *bench) {
	path := b.dir + "/socket"
	g := b.inheriting("", "unix:"+path)
	g.Stop = config.Stop{Signal: syscall.SIGTERM, Timeout: patience}
	s := b.site(g)
	one := s.serving()
	must(t, os.Remove(path))
	must(t, os.WriteFile(path, nil, 0o600))
	b.next++
	_, err := s.Prepare(t.Context(), b.next, g.Revision())
	if err == nil || errors.Is(err, supervisor.ErrPermanent) || !strings.Contains(err.Error(), path+": there is something that is not a socket") {
		t.Errorf("a launch behind a file: %v", err)
	}
	must(t, s.Clean(t.Context(), b.next))
	if s.Listens()[0].Trouble == "" {
		t.Error("status says nothing of it")
	}
	must(t, os.Remove(path))
	s.serving()
	s.answers(0, "launch 3 http")
	if err := one.exit().Cause(); !errors.Is(err, listen.ErrRenewed) {
		t.Errorf("launch 1 ended: %v", err)
	}
	s.answers(0, "launch 3 http")
}

// Who joins the group of a port from outside is found without anything else happening,
// told once, and shown until it has gone.
func suiteStranger(t *testing.T, b *bench) {
	core, told := observer.New(zap.InfoLevel)
	b.Log = zap.New(core)
	b.checks.every = time.Millisecond
	s := b.site(b.inheriting("", "127.0.0.1:0"))
	s.serving()
	stranger := join(t, s.address(0))
	trouble := func() string { return s.Listens()[0].Trouble }
	eventually(t, "the stranger is found", func() bool { return trouble() != "" })
	for range 3 {
		b.checks.round()
	}
	must(t, stranger.Close())
	eventually(t, "it has gone", func() bool { return trouble() == "" })
	var events []observer.LoggedEntry // told just after it is shown
	eventually(t, "both are told", func() bool {
		events = told.FilterField(zap.String("event", "listen-trouble")).All()
		return len(events) >= 2 && events[len(events)-1].Level == zap.InfoLevel
	})
	// Its descriptor goes before its socket does: for a moment nobody is known to have it.
	if len(events) > 3 || events[0].Level != zap.WarnLevel || len(events) == 3 && !strings.Contains(wordsOf(events[1]), "which /proc does not tell") {
		t.Errorf("told: %+v", events)
	}
}

// join listens on an address that somebody has with SO_REUSEPORT.
func join(t *testing.T, address string) net.Listener {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }), err)
	}}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", address)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for late := time.After(patience); !ok(); {
		select {
		case <-late:
			t.Fatal("never: " + what)
		case <-time.After(time.Millisecond):
		}
	}
}

func wordsOf(e observer.LoggedEntry) string { return fmt.Sprint(e.ContextMap()["error"]) }
