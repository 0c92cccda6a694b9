package launch

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/internal/testenv"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// findingSuite is what becomes of what the throw-away container finds out.
// works: whether overlays do on this runtime.
func findingSuite(t *testing.T, works bool, open opener) {
	for name, test := range map[string]func(*testing.T, *bench, bool){
		"kept":        suiteFindingKept,
		"corrected":   suiteFindingCorrected,
		"damaged":     suiteFindingDamaged,
		"asked twice": suiteFindingAskedTwice,
		"cut":         suiteFindingCut,
		"insisted":    suiteFindingInsisted,
	} {
		t.Run("finding/"+name, func(t *testing.T) { test(t, open(t), works) })
	}
}

func TestFindingOnFake(t *testing.T) { findingSuite(t, false, fakeBench) }

// tries counts the throw-away containers of a Host by what is logged of them.
func tries(h *Host) func() int {
	core, logs := observer.New(zap.InfoLevel)
	h.Log = zap.New(core)
	return func() int { return logs.FilterField(zap.String("event", "overlay-tried")).Len() }
}

// next is the Host of the next gatewayd.
func (b *bench) nextHost(t *testing.T) *Host {
	t.Helper()
	host, err := openHost(t.Context(), b.dir, b.path, 0)
	must(t, err)
	host.Self = b.Self
	engine, err := host.Runtime(t.Context())
	must(t, err)
	t.Cleanup(func() { _ = engine.Close() })
	return host
}

// finds fails unless the Host says of overlays what it should.
func finds(t *testing.T, h *Host, works bool) {
	t.Helper()
	refusal, err := h.overlaysWork(t.Context(), false)
	must(t, err)
	if (refusal == nil) != works {
		t.Errorf("overlays: %v, want them to work: %v", refusal, works)
	}
}

// That it works is kept, that it does not is tried again by the next gatewayd.
func suiteFindingKept(t *testing.T, b *bench, works bool) {
	tried := tries(b.Host)
	finds(t, b.Host, works)
	finds(t, b.Host, works)
	if tried() != 1 {
		t.Errorf("tried %d times", tried())
	}
	b.nothingLeft(t)
	next := b.nextHost(t)
	tried = tries(next)
	finds(t, next, works)
	if (tried() == 0) != works {
		t.Errorf("the next gatewayd tries %d times", tried())
	}
	tried = tries(next)
	must(t, next.Confirm(t.Context()))
	must(t, next.Confirm(t.Context())) // nothing is taken on trust any more
	if tried() != 0 {
		t.Error("what is confirmed is told as if it were new")
	}
	finds(t, next, works)
	must(t, b.Confirm(t.Context())) // found by this one itself
	b.nothingLeft(t)
}

// A finding that is not true any more holds until there is time to try again.
func suiteFindingCorrected(t *testing.T, b *bench, works bool) {
	if works {
		return // nothing false can be kept
	}
	where, err := b.place(t.Context())
	must(t, err)
	must(t, b.keepWorked(where))
	tried := tries(b.Host)
	finds(t, b.Host, true)
	must(t, b.Confirm(t.Context()))
	if tried() != 1 {
		t.Errorf("told %d times", tried())
	}
	finds(t, b.Host, false)
	if b.worked(where) {
		t.Error("it is kept all the same")
	}
	b.nothingLeft(t)
}

// Who cannot do without an overlay does not take an earlier no for an answer.
func suiteFindingInsisted(t *testing.T, b *bench, works bool) {
	finds(t, b.Host, works)
	b.overlays.refusal = errors.New("not at that moment")
	finds(t, b.Host, false)
	if refusal, err := b.overlaysWork(t.Context(), true); err != nil || (refusal == nil) != works {
		t.Errorf("refusal %v, %v", refusal, err)
	}
	b.overlays.refusal, b.overlays.since = errors.New("long ago"), time.Now().Add(-refusalHolds)
	finds(t, b.Host, works)
}

// What cannot be read, or was found elsewhere, counts as nothing.
func suiteFindingDamaged(t *testing.T, b *bench, works bool) {
	where, err := b.place(t.Context())
	must(t, err)
	foreign, err := json.Marshal(finding{Where: strings.Replace(where, "device ", "device 9", 1)})
	must(t, err)
	for _, text := range []string{"", "{", "null", "[]", `{"where":7}`, `{"worked":"yes"}`, string(foreign), strings.Repeat("[", 1<<20)} {
		must(t, os.WriteFile(b.workedPath(), []byte(text), 0o600))
		next := b.nextHost(t)
		tried := tries(next)
		finds(t, next, works)
		if tried() != 1 {
			t.Errorf("with %.40q it is tried %d times", text, tried())
		}
	}
	must(t, os.RemoveAll(b.workedPath()))
	must(t, os.MkdirAll(filepath.Join(b.workedPath(), "directory"), 0o700))
	finds(t, b.nextHost(t), works) // it cannot be kept: that is no reason to refuse
	b.nothingLeft(t)
}

func suiteFindingAskedTwice(t *testing.T, b *bench, works bool) {
	tried := tries(b.Host)
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() { finds(t, b.Host, works) })
	}
	asking.Wait()
	if tried() != 1 {
		t.Errorf("tried %d times", tried())
	}
	b.nothingLeft(t)
}

// Wherever the try is cut, nothing of it is left and nothing is known.
func suiteFindingCut(t *testing.T, b *bench, works bool) {
	tried := tries(b.Host)
	for after := 200 * time.Microsecond; after < 100*time.Millisecond && tried() == 0; after = after * 3 / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := b.overlaysWork(ctx, false)
		cut := ctx.Err() != nil
		cancel()
		if _, kept := os.Stat(b.workedPath()); cut && kept == nil != (tried() == 1 && works) {
			t.Errorf("cut after %v: %v, kept: %v", after, err, kept)
		}
		b.noTry(t)
	}
	finds(t, b.Host, works)
	b.noTry(t)
}

// A kept finding with which a launch fails is tried again for the next launch,
// not when gatewayd is ready: it might never be.
func TestFindingDoubted(t *testing.T) {
	b := told(t, 0, "create-refuse-late")
	where, err := b.place(t.Context())
	must(t, err)
	must(t, b.keepWorked(where))
	tried := tries(b.Host)
	b.staging = stagingOf("auto")
	g := b.gateway("")
	if err := b.refused(t.Context(), g); errors.Is(err, supervisor.ErrPermanent) {
		t.Errorf("error = %v: another try helps", err)
	}
	b.tell("")
	r := b.prepare(g)
	if info := r.Info(r.n); info.Stage != staging.Copy || tried() != 1 {
		t.Errorf("staged by %s after %d tries", info.Stage, tried())
	}
	r.clean()
	if b.worked(where) {
		t.Error("it is kept all the same")
	}
}

func (b *bench) noTry(t *testing.T) {
	t.Helper()
	b.nothingLeft(t)
	if b.Cgroup == nil {
		return
	}
	leaves, err := b.Cgroup.Leaves()
	must(t, err)
	for _, leaf := range leaves {
		if strings.Contains(leaf.ID(), tryName) {
			t.Errorf("cgroup is left: %s", leaf.ID())
		}
	}
}

func TestFindingOnYouki(t *testing.T) { realFinding(t, "youki", true) }
func TestFindingOnRunc(t *testing.T)  { realFinding(t, "runc", true) }

func TestFindingOnCrun(t *testing.T) { realFinding(t, "crun", false) }

func realFinding(t *testing.T, name string, works bool) {
	t.Helper()
	path := testenv.Runtime(t, name)
	findingSuite(t, works, func(t *testing.T) *bench { return overlayBench(t, path) })
}
