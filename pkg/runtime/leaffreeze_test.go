package runtime

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// frozen is what the kernel says of the leaf.
func frozen(t *testing.T, l *Leaf) bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.Dir(), "cgroup.events"))
	must(t, err)
	return lookUp(data, "frozen") == "1"
}

func TestLeafFreeze(t *testing.T) {
	leaf, pids := occupied(t)
	for _, want := range []bool{true, true, false, false, true} {
		must(t, leaf.Freeze(t.Context(), want))
		if got := frozen(t, leaf); got != want {
			t.Errorf("frozen = %v, want %v", got, want)
		}
	}
	must(t, leaf.Kill(t.Context())) // a frozen one
	if !dead(pids[0]) || !dead(pids[1]) {
		t.Error("a frozen process has survived")
	}
	must(t, leaf.Remove(t.Context()))
	must(t, leaf.Freeze(t.Context(), false))
	if err := leaf.Freeze(t.Context(), true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("freeze of what is gone = %v, want fs.ErrNotExist", err)
	}
}

// Where processes come and go a leaf may take a while to freeze.
func TestLeafFreezeIsCutShort(t *testing.T) {
	leaf, _ := occupied(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := leaf.await(ctx, "frozen", "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait = %v, want DeadlineExceeded", err)
	}
}
