package launch

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatewayd/gatewayd/internal/config"
)

// leaksNothing calls once, and then fails for each descriptor and goroutine that
// further calls leave.
func leaksNothing(t *testing.T, times int, call func()) {
	t.Helper()
	call() // what is made once and kept
	before := descriptors(t)
	current := goleak.IgnoreCurrent()
	for range times {
		call()
	}
	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("descriptors before %q\nand after %q", before, after)
	}
	goleak.VerifyNone(t, current)
}

func suiteLeaks(t *testing.T, b *bench) {
	g := b.serving(freeAddress(t))
	g.Ready.Probe = config.Probe{Kind: config.ProbeNotify}
	probed := b.gateway("echo ready; sleep 1000")
	probed.Ready.Probe = execProbe("/bin/sh", "-c", "sleep 1000")
	leaksNothing(t, 4, func() {
		r := b.startReady(g)
		must(t, r.Probe(t.Context(), r.n))
		r.clean()
		r = b.startReady(probed)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := r.Probe(ctx, r.n); err == nil {
			t.Error("a probe that hangs succeeds")
		}
		r.clean()
	})
}

func TestLaunchesLeakNothing(t *testing.T) {
	t.Run("bare", func(t *testing.T) {
		b := bareBench(t)
		g := b.bareGateway("echo ready; exec sleep 1000")
		leaksNothing(t, 50, func() { b.startReady(g).clean() })
	})
	t.Run("contained", func(t *testing.T) {
		b := told(t, 0, "")
		g := b.gateway("echo ready; sleep 1000")
		leaksNothing(t, 8, func() { b.startReady(g).clean() })
	})
	t.Run("failing", func(t *testing.T) {
		b := told(t, 0, "create-refuse-late")
		leaksNothing(t, 5, func() { _ = b.refused(t.Context(), b.gateway("")) })
	})
}
