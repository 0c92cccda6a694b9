package revisions

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
)

// keep is how many revisions are kept.
const keep = 20

// maxText bounds a cause, which can be the words of a program.
const maxText = 1000

// History is that of one gateway. Its methods may be called from any goroutine;
// all but Save only work in memory.
type History struct {
	path    string
	saving  sync.Mutex // one Save at a time, so that an older state never replaces a newer one
	removed bool       // nothing is written any more

	mu      sync.Mutex
	kept    kept
	changed bool
}

// kept is the file.
type kept struct {
	Format    int        `json:"format"`
	Last      int        `json:"last"`    // the highest number that was ever given
	Serving   int        `json:"serving"` // the revision that serves, or is to; 0: none yet
	Revisions []Revision `json:"revisions"`
	Trial     *Trial     `json:"trial,omitempty"` // of the one that serves; nil: it is confirmed
}

// Trial says what the revision that serves gives way to if it does not last.
type Trial struct {
	Previous int       `json:"previous"`
	Until    time.Time `json:"until"` // then it is confirmed
}

// Add notes that g is on its way, where the file says file, and returns its
// number.
func (h *History) Add(why string, g, file config.Gateway) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept.Last++
	r := Revision{Number: h.kept.Last, When: time.Now().UTC().Truncate(time.Millisecond), Why: why, Deployed: encode(g)}
	if table := encode(file); !bytes.Equal(table, r.Deployed) {
		r.File = table
	}
	h.kept.Revisions = append(h.kept.Revisions, r)
	h.trim()
	h.changed = true
	return r.Number
}

// Serve notes that a revision serves, or is to: what it says of itself is for
// Settle.
func (h *History) Serve(number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.find(number)
	if r == nil || h.kept.Serving == number {
		return
	}
	h.kept.Serving, h.kept.Trial, h.changed = number, nil, true
}

// Try notes that the revision that serves is provisional.
func (h *History) Try(previous int, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept.Trial, h.changed = &Trial{previous, until.UTC()}, true
}

// Confirm notes that the revision that serves stays.
func (h *History) Confirm() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept.Trial != nil {
		h.kept.Trial, h.changed = nil, true
	}
}

// Trial returns the revision that comes back if the one that serves does not
// last; false: it is confirmed, or that one is not kept.
func (h *History) Trial() (previous Revision, until time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept.Trial == nil {
		return Revision{}, time.Time{}, false
	}
	previous, ok = value(h.find(h.kept.Trial.Previous))
	return previous, h.kept.Trial.Until, ok
}

// Settle notes what became of a revision.
func (h *History) Settle(number int, outcome Outcome, cause string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.find(number); r != nil && r.Outcome != outcome {
		r.Outcome, r.Cause, h.changed = outcome, strings.ToValidUTF8(cause[:min(len(cause), maxText)], ""), true
	}
}

// Examined notes the digest of a revision's source.
func (h *History) Examined(number int, digest string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.find(number); r != nil && digest != "" && r.Digest != digest {
		r.Digest, h.changed = digest, true
	}
}

// Resume returns the revision that served last and its gateway, while the file
// says of it what it said when that was decided.
func (h *History) Resume(file config.Gateway) (Revision, config.Gateway, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	serving, decided := h.find(h.kept.Serving), h.decided()
	if serving == nil || decided == nil {
		return Revision{}, file, false
	}
	table, err := decided.table(file)
	if err != nil || table.Revision() != file.Revision() {
		return Revision{}, file, false
	}
	g, err := serving.Gateway(file)
	return *serving, g, err == nil
}

// decided is the newest revision that serves, or whose outcome is known; nil: none.
func (h *History) decided() *Revision {
	for i, r := range slices.Backward(h.kept.Revisions) {
		if r.Number == h.kept.Serving || r.Outcome != UnderWay && r.Outcome != Interrupted {
			return &h.kept.Revisions[i]
		}
	}
	return nil
}

// Serving is the revision that serves; false: none has yet.
func (h *History) Serving() (Revision, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return value(h.find(h.kept.Serving))
}

// Get returns a revision; false: it is not kept.
func (h *History) Get(number int) (Revision, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return value(h.find(number))
}

// Before is the revision that served before the one that does: what a rollback
// brings back. False: there is none.
func (h *History) Before() (Revision, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return value(h.before())
}

func (h *History) before() *Revision {
	for i, r := range slices.Backward(h.kept.Revisions) {
		if r.Outcome == Served && r.Number < h.kept.Serving {
			return &h.kept.Revisions[i]
		}
	}
	return nil
}

// Refused is the revision after the given one that was what the file says and
// does not serve all the same; false: there is none.
func (h *History) Refused(number int) (Revision, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range slices.Backward(h.kept.Revisions) {
		if r.Number > number && !r.Differs() && r.Outcome != UnderWay && r.Outcome != Served {
			return r, true
		}
	}
	return Revision{}, false
}

// List returns all that are kept, the oldest first, and the number of the one
// that serves.
func (h *History) List() ([]Revision, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.kept.Revisions), h.kept.Serving
}

// interrupt gives those an outcome that an earlier gatewayd had under way.
func (h *History) interrupt() {
	for i := range h.kept.Revisions {
		if r := &h.kept.Revisions[i]; r.Outcome == UnderWay && r.Number != h.kept.Serving {
			r.Outcome, h.changed = Interrupted, true
		}
	}
}

// trim forgets the oldest, but neither what serves nor what a rollback would
// bring back.
func (h *History) trim() {
	for len(h.kept.Revisions) > keep {
		before := h.before()
		i := slices.IndexFunc(h.kept.Revisions, func(r Revision) bool {
			return r.Number != h.kept.Serving && (before == nil || r.Number != before.Number)
		})
		h.kept.Revisions = slices.Delete(h.kept.Revisions, i, i+1)
	}
}

func (h *History) find(number int) *Revision {
	for i := range h.kept.Revisions {
		if h.kept.Revisions[i].Number == number {
			return &h.kept.Revisions[i]
		}
	}
	return nil
}

func value(r *Revision) (Revision, bool) {
	if r == nil {
		return Revision{}, false
	}
	return *r, true
}
