package launch

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gatewayd/gatewayd/internal/journal"
)

// recorder takes what gateways write.
type recorder struct {
	mu      sync.Mutex
	lines   []journal.Line
	changed chan struct{} // closed at the next line
}

func newRecorder() *recorder { return &recorder{changed: make(chan struct{})} }

func (r *recorder) write(_ context.Context, l journal.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.Text = bytes.Clone(l.Text)
	r.lines = append(r.lines, l)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) of(id string) (lines []journal.Line, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if l.ContainerID == id {
			lines = append(lines, l)
		}
	}
	return lines, r.changed
}

// texts are the lines that the launch id has written so far.
func (r *recorder) texts(id string) []string {
	lines, _ := r.of(id)
	var texts []string
	for _, l := range lines {
		texts = append(texts, string(l.Text))
	}
	return texts
}

// wait says whether the launch id wrote text in time.
func (r *recorder) wait(id, text string) bool {
	late := time.After(patience)
	for {
		_, changed := r.of(id)
		if slices.Contains(r.texts(id), text) {
			return true
		}
		select {
		case <-changed:
		case <-late:
			return false
		}
	}
}
