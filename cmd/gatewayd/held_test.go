package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/held"
)

// A hold is written down once; where that fails it is tried again, and told once.
func TestHoldIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "held")
	h := newHolding(held.Store{Dir: dir, Keys: t.TempDir()})
	hold := held.Hold{Since: time.Now(), Print: held.Print{Config: "c"}}
	if h.keep("web", hold) == nil || h.keep("web", hold) != nil {
		t.Error("what is lost is not told once")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := h.keep("web", hold); err != nil {
		t.Error(err)
	}
	if _, ok := h.store.Read("web"); !ok {
		t.Error("it is not tried again")
	}
	if err := os.Remove(filepath.Join(dir, "web")); err != nil {
		t.Fatal(err)
	}
	if err := h.keep("web", hold); err != nil {
		t.Error(err)
	}
	if _, ok := h.store.Read("web"); ok {
		t.Error("each look writes")
	}
}

// A look that comes too late does not bring back a hold that was ended, and what is
// held anew is held.
func TestHoldThatIsOver(t *testing.T) {
	h := newHolding(held.Store{Dir: t.TempDir(), Keys: t.TempDir()})
	first := held.Hold{Since: time.Now(), Print: held.Print{Config: "c"}}
	second := held.Hold{Since: first.Since.Add(time.Second), Print: first.Print}
	for _, err := range []error{h.keep("web", first), h.end("web", first.Since), h.keep("web", first)} {
		if err != nil {
			t.Error(err)
		}
	}
	if _, ok := h.store.Read("web"); ok {
		t.Error("it is back")
	}
	if k, ok := h.of("web", second.Since); ok || k.over {
		t.Errorf("the next one is known already: %+v", k)
	}
	if err := h.keep("web", second); err != nil {
		t.Error(err)
	}
	if got, ok := h.store.Read("web"); !ok || !got.Since.Equal(second.Since) {
		t.Errorf("%+v", got)
	}
}

// What an earlier gatewayd held is held while its configuration is the same.
func TestHeldBefore(t *testing.T) {
	d := testDaemon(t)
	d.holding = newHolding(held.Store{Dir: t.TempDir(), Keys: t.TempDir()})
	g := config.Gateway{Name: "web", Command: []string{"/web"}}
	hold := held.Hold{Since: time.Now(), Cause: "exited with code 78", Print: held.Print{Config: g.Revision()}}
	if err := d.holding.store.Write("web", hold); err != nil {
		t.Fatal(err)
	}
	if before := d.heldBefore(g); before == nil || before.Cause.Error() != hold.Cause || !before.Since.Equal(hold.Since) {
		t.Errorf("%+v", before)
	}
	g.Command = []string{"/web", "mended"}
	if before := d.heldBefore(g); before != nil {
		t.Errorf("another configuration is held: %+v", before)
	}
	if _, ok := d.holding.store.Read("web"); ok {
		t.Error("it is still written down")
	}
}
