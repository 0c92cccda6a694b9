package launch

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

func suiteMissing(t *testing.T, b *bench) {
	t.Setenv("BLANK", " \t")
	source, variable, blank := b.gateway(""), b.gateway(""), b.gateway("")
	source.Rootfs = filepath.Join(b.dir, "nowhere")
	variable.Env.Required = []string{"NOT_SET"}
	blank.Env.Required = []string{"BLANK"}
	for _, g := range []struct {
		err  error
		want string
	}{
		{b.refused(t.Context(), source), "nowhere"},
		{b.refused(t.Context(), variable), "NOT_SET"},
		{b.refused(t.Context(), blank), "BLANK"},
	} {
		if !errors.Is(g.err, supervisor.ErrPermanent) || !strings.Contains(g.err.Error(), g.want) {
			t.Errorf("error = %v, want a permanent one that names %s", g.err, g.want)
		}
	}
	b.nothingLeft(t)
}

// Wherever a Prepare is cut, Clean finds all that it made.
func suiteCutPrepare(t *testing.T, b *bench) {
	g := b.gateway("echo ready; sleep 1000")
	l := launcherOf(b.Host, g)
	for after := 100 * time.Microsecond; after < 150*time.Millisecond; after = after * 3 / 2 {
		b.next++
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := l.Prepare(ctx, b.next, g.Revision())
		cancel()
		if err != nil && (!errors.Is(err, context.DeadlineExceeded) || errors.Is(err, supervisor.ErrPermanent)) {
			t.Errorf("prepare cut after %v: %v", after, err)
		}
		must(t, l.Clean(t.Context(), b.next))
		b.noFiles(t)
		noProcess(t)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.refused(ctx, g); !errors.Is(err, context.Canceled) {
		t.Errorf("prepare that nobody wants any more: %v", err)
	}
}

// A Clean that comes while a Prepare unwinds must not overtake it.
func suiteCleanBesidePrepare(t *testing.T, b *bench) {
	g := b.gateway("echo ready; sleep 1000")
	l := launcherOf(b.Host, g)
	for range 8 {
		b.next++
		n := b.next
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = l.Prepare(ctx, n, g.Revision())
		}()
		if n%2 == 0 {
			waitFor(t, "the launch", func() bool { return l.Info(n).ID != "" })
		}
		cancel()
		must(t, l.Clean(t.Context(), n))
		<-done
		b.noFiles(t)
		noProcess(t)
	}
}

func suiteUnknown(t *testing.T, b *bench) {
	g := b.gateway("")
	l := launcherOf(b.Host, g)
	must(t, errors.Join(l.Clean(t.Context(), 9), l.Kill(t.Context(), 9), l.Signal(t.Context(), 9, syscall.SIGTERM)))
	if err := l.Probe(t.Context(), 9); err == nil {
		t.Error("probe of a launch that never was succeeds")
	}
	if _, err := l.Prepare(t.Context(), 9, "other"); err == nil || errors.Is(err, supervisor.ErrPermanent) {
		t.Errorf("prepare of an unknown revision: %v", err)
	}
}
