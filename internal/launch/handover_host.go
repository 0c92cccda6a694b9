package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// OverlayState is what a Host has found out about overlays.
type OverlayState struct {
	Known   bool      `json:"known,omitempty"`
	Trusted bool      `json:"trusted,omitempty"`
	Refusal string    `json:"refusal,omitempty"` // empty: they work
	Since   time.Time `json:"since,omitzero"`
}

// Overlays tells it, for another image of this process. A try that is under way
// is waited for.
func (h *Host) Overlays(ctx context.Context) (OverlayState, error) {
	o := &h.overlays
	if err := o.take(ctx); err != nil {
		return OverlayState{}, err
	}
	defer o.give()
	s := OverlayState{Known: o.known, Trusted: o.trusted, Since: o.since}
	if o.refusal != nil {
		s.Refusal = o.refusal.Error()
	}
	return s, nil
}

// RestoreOverlays begins with what another image has found out.
func (h *Host) RestoreOverlays(s OverlayState) {
	o := &h.overlays
	o.known, o.trusted, o.since = s.Known, s.Trusted, s.Since
	if s.Refusal != "" {
		o.refusal = errors.New(s.Refusal)
	}
}

// File is the lock's, for another image of this process: the flock belongs to
// the open file.
func (l *Lock) File() *os.File { return l.file }

// Regain takes the lock over from another image of this process.
func (d Dirs) Regain(file *os.File) (*Lock, error) {
	if file == nil {
		return nil, fmt.Errorf("lock %s: it was not handed over", d.Lock())
	}
	if err := d.lock(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Lock{file: file}, nil
}
