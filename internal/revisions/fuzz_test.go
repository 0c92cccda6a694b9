package revisions

import (
	"bytes"
	"encoding/json"
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
	text, err := good.text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	raw := cmp.Comparer(func(a, b json.RawMessage) bool { return compact(a) == compact(b) })
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := parse(text)
		if err != nil && (read.Last+read.Serving+len(read.Revisions) != 0 || read.Trial != nil) {
			t.Fatalf("half a history: %+v: %v", read, err)
		}
		h := &History{kept: read}
		h.kept.Format = format
		h.interrupt()
		h.Resume(table("/a"))
		written, err := h.kept.text()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(written)
		if diff := cmp.Diff(h.kept, again, raw); err != nil || diff != "" {
			t.Fatalf("written and read again: %v: %s", err, diff)
		}
		number := h.Add("deploy", table("/d"), table("/d"))
		last := 0
		for _, r := range again.Revisions {
			if r.Number <= last || number <= r.Number {
				t.Errorf("%d comes after %d, and %d is added", r.Number, last, number)
			}
			last = r.Number
		}
		if all, _ := h.List(); number < 1 || len(all) > keep {
			t.Errorf("%d is added, %d are kept", number, len(all))
		}
	})
}

func compact(text []byte) string {
	var b bytes.Buffer
	_ = json.Compact(&b, text) // it was read from JSON
	return b.String()
}
