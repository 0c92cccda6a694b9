package staging

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A cache in use is never old, also when there was nothing to write in it.
func TestCachesThatNobodyUsesGo(t *testing.T) {
	w := newWorld(t)
	copied := w.request()
	copied.Staging.Stage = "copy"
	w.stage(copied)
	stale := filepath.Join(w.Cache, "stale")
	must(t, os.WriteFile(stale, nil, 0o600))
	old := time.Now().Add(-keepCache - time.Hour)
	entries, err := os.ReadDir(w.Cache)
	must(t, err)
	for _, entry := range entries {
		must(t, os.Chtimes(filepath.Join(w.Cache, entry.Name()), old, old))
	}
	w.stage(func() Request { r := w.request(); r.Staging.Stage = "copy"; return r }())
	must(t, Prune(w.Cache, time.Now()))
	must(t, Prune(filepath.Join(w.Cache, "none"), time.Now()))
	left, err := os.ReadDir(w.Cache)
	must(t, err)
	if len(entries) != 2 || len(left) != 1 || left[0].Name() == "stale" {
		t.Errorf("%d before, %v left", len(entries), left)
	}
}

// Half a cache that a kill has left goes at once, not when its tree is staged next.
func TestKillInASurveyLeavesNothing(t *testing.T) {
	w := newWorld(t)
	copied := w.request()
	copied.Staging.Stage = "copy"
	w.stage(copied)
	entries, err := os.ReadDir(w.Cache)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.Cache, entries[0].Name()+".new"), nil, 0o600))
	must(t, Prune(w.Cache, time.Now()))
	left, err := os.ReadDir(w.Cache)
	must(t, err)
	if len(left) != 1 || left[0].Name() != entries[0].Name() {
		t.Errorf("left: %v", left)
	}
}
