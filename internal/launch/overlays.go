package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// overlays is whether the runtime can make an overlay the root of a container
// here, with all that a program may do in it. Nobody's word is taken for that: a
// throw-away container tries. That it worked is kept for the next start of
// gatewayd, which begins with it and has it tried again when there is time. That
// it did not work is not: what was wrong may be mended by then.
type overlays struct {
	once    sync.Once
	turn    chan struct{} // held by who asks: the others wait for the answer, or for their context
	refusal error         // when known: why it does not work; nil: it does
	known   bool
	trusted bool      // known by an earlier gatewayd alone
	since   time.Time // a refusal was found
}

// refusalHolds is how long launches are staged without another try after one
// that was refused: with crun that costs each of them 30 ms.
const refusalHolds = 10 * time.Minute

func (o *overlays) take(ctx context.Context) error {
	o.once.Do(func() { o.turn = make(chan struct{}, 1) })
	select {
	case o.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a try of an overlay: %w", ctx.Err())
	}
}

func (o *overlays) give() { <-o.turn }

// holds reports whether nothing has to be tried. insist: whoever asks does
// nothing without an overlay, and may have mended what kept it from one.
func (o *overlays) holds(insist bool) bool {
	return o.known && (o.refusal == nil || !insist && time.Since(o.since) < refusalHolds)
}

// overlaysWork is the Stager's question. The first one waits for the container,
// unless it worked for an earlier gatewayd. An error says that nothing could be
// found out: the next launch tries again.
func (h *Host) overlaysWork(ctx context.Context, insist bool) (refusal, err error) {
	o := &h.overlays
	if err := o.take(ctx); err != nil {
		return nil, err
	}
	defer o.give()
	if o.holds(insist) {
		return o.refusal, nil
	}
	where, err := h.place(ctx)
	if err != nil {
		return nil, err
	}
	if !o.known && h.worked(where) {
		o.known, o.trusted = true, true
		return nil, nil
	}
	return h.findOut(ctx, where)
}

// Confirm tries what an earlier gatewayd has found, if anybody was given that.
// It is for a moment at which nobody waits.
func (h *Host) Confirm(ctx context.Context) error {
	o := &h.overlays
	if err := o.take(ctx); err != nil {
		return err
	}
	trusted := o.trusted
	o.give() // launches go on meanwhile with what is known
	if !trusted {
		return nil
	}
	where, err := h.place(ctx)
	if err != nil {
		return err
	}
	refusal, err := h.try(ctx)
	if err != nil {
		return err
	}
	if err := o.take(ctx); err != nil {
		return err
	}
	defer o.give()
	return h.found(where, refusal)
}

// doubt forgets the finding of an earlier gatewayd, with which a launch has come
// to nothing: the next launch waits for a try of our own. Confirm would come too
// late, when not one gateway can start by overlay.
func (h *Host) doubt(ctx context.Context) {
	o := &h.overlays
	if o.take(ctx) != nil {
		return // the next launch will come to doubt
	}
	defer o.give()
	if o.trusted {
		o.known, o.trusted = false, false
		h.forgetWorked() // one that stays is doubted again
	}
}

// findOut has the container try, while every launch that wants an overlay waits.
func (h *Host) findOut(ctx context.Context, where string) (refusal, err error) {
	if refusal, err = h.try(ctx); err != nil {
		return nil, fmt.Errorf("whether overlays work could not be tried: %w", err)
	}
	if err := h.found(where, refusal); err != nil {
		h.log().Warn("that overlays work cannot be kept, the next start tries again",
			zap.String("event", "overlay-tried"), zap.Error(err))
	}
	return refusal, nil
}

// found notes what a try has shown, and tells it where it is news.
func (h *Host) found(where string, refusal error) error {
	o := &h.overlays
	news := !o.known || (o.refusal == nil) != (refusal == nil)
	o.known, o.trusted, o.refusal, o.since = true, false, refusal, time.Now()
	if refusal != nil {
		if news {
			h.log().Info("overlays do not work here: "+refusal.Error(), zap.String("event", "overlay-tried"))
		}
		h.forgetWorked() // one that stays is doubted by the next start
		return nil
	}
	if news {
		h.log().Info("overlays work here", zap.String("event", "overlay-tried"))
	}
	return h.keepWorked(where)
}

// place says what a finding holds for: the kernel, the runtime, and the
// directory that the upper ones lie in.
func (h *Host) place(ctx context.Context) (string, error) {
	r, err := h.Runtime(ctx)
	if err != nil {
		return "", err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(h.Dirs.Rootfs(), &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: h.Dirs.Rootfs(), Err: err}
	}
	binary := r.Binary()
	return fmt.Sprintf("%s; %s %s at %s; device %d", unix.ByteSliceToString(name.Release[:]), binary.Name, binary.Version, binary.Path, st.Dev), nil
}

// finding is what is kept of a try that worked.
type finding struct {
	Where string `json:"where"` // see place
}

func (h *Host) workedPath() string { return filepath.Join(h.Dirs.State, "overlays.json") }

// workedAside is where it is written; a sweep removes what a kill leaves of it.
func (h *Host) workedAside() string { return h.workedPath() + ".new" }

func (h *Host) worked(where string) bool {
	var f finding
	data, err := os.ReadFile(h.workedPath())
	return err == nil && json.Unmarshal(data, &f) == nil && f.Where == where
}

func (h *Host) forgetWorked() {
	_ = os.Remove(h.workedPath())
	step.Done("overlay-answer-forgotten")
}

// keepWorked needs no sync: a file that a power loss has cut is none.
func (h *Host) keepWorked(where string) error {
	data, err := json.Marshal(finding{where})
	if err != nil {
		return err
	}
	aside := h.workedAside()
	if err := os.WriteFile(aside, data, 0o600); err != nil {
		return err
	}
	step.Done("overlay-answer-aside")
	err = os.Rename(aside, h.workedPath())
	step.Done("overlay-answer-kept")
	return err
}
