package revisions

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A history that is taken is one to go on with: it is the same when it is written
// and read again, and what is added gets a number of its own. One that is refused
// begins anew.
func FuzzHistory(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	good := kept{Format: format, Last: 2, Serving: 1, Trial: &Trial{1, now}, Revisions: []Revision{
		{Number: 1, When: now, Why: "start", Outcome: Served, Deployed: encode(table("/a")), File: encode(table("/b"))},
		{Number: 2, When: now, Why: "deploy", Deployed: encode(table("/c"))},
	}}
	text, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	dir := f.TempDir()
	path := filepath.Join(dir, "web.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := Open(dir, "web")
		before, serving := h.List()
		if err != nil && len(before)+serving != 0 {
			t.Fatalf("half a history: %d revisions, %d serves: %v", len(before), serving, err)
		}
		h.Resume(table("/a"))
		h.changed = true
		if err := h.Save(); err != nil {
			t.Fatal(err)
		}
		h, err = Open(dir, "web")
		if err != nil {
			t.Fatalf("what was written: %v", err)
		}
		after, same := h.List()
		raw := cmp.Comparer(func(a, b json.RawMessage) bool { return compact(a) == compact(b) })
		if diff := cmp.Diff(before, after, raw); diff != "" || serving != same {
			t.Fatalf("%d serves, then %d, written and read again: %s", serving, same, diff)
		}
		number := h.Add("deploy", table("/d"), table("/d"))
		for _, r := range after {
			if number <= r.Number {
				t.Errorf("%d is added to %d", number, r.Number)
			}
		}
		if number < 1 {
			t.Errorf("%d is added", number)
		}
		if all, _ := h.List(); len(all) > keep {
			t.Errorf("%d are kept", len(all))
		}
	})
}

func compact(text []byte) string {
	var b bytes.Buffer
	_ = json.Compact(&b, text) // it was read from JSON
	return b.String()
}
