package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// overlays is whether the runtime can make an overlay the root of a container
// here, with all that a program may do in it. Nobody's word is taken for that: a
// throw-away container tries. What it found is kept for the next start of
// gatewayd, which begins with it and has it tried again when there is time.
type overlays struct {
	mu      sync.Mutex
	known   *finding // nil: nobody has asked yet
	trusted bool     // known is an earlier gatewayd's
}

// finding is what the throw-away container found.
type finding struct {
	Where   string `json:"where"`             // what it holds for: see (*Host).place
	Refusal string `json:"refusal,omitempty"` // why it does not work; empty: it does
}

func (f finding) err() error {
	if f.Refusal == "" {
		return nil
	}
	return errors.New(f.Refusal)
}

// tryTime bounds the throw-away container, which takes some 30 ms. It is over
// before the launch that waits for the answer has to give up: that one is copied.
const tryTime = 5 * time.Second

// overlaysWork is the Stager's question. The first one waits for the container,
// unless an earlier gatewayd's finding holds.
func (h *Host) overlaysWork(ctx context.Context) error {
	h.overlays.mu.Lock()
	defer h.overlays.mu.Unlock()
	if h.overlays.known != nil {
		return h.overlays.known.err()
	}
	where, err := h.place(ctx)
	if err != nil {
		return err
	}
	if kept, ok := h.keptFinding(where); ok {
		h.overlays.known, h.overlays.trusted = &kept, true
		return kept.err()
	}
	return h.findOut(ctx, where)
}

// Confirm tries what an earlier gatewayd found about overlays, if anybody has
// asked and been given that. It is for a moment at which nobody waits.
func (h *Host) Confirm(ctx context.Context) error {
	h.overlays.mu.Lock()
	trusted, before := h.overlays.trusted, h.overlays.known
	h.overlays.mu.Unlock()
	if !trusted {
		return nil
	}
	now, err := h.try(ctx, before.Where)
	if err != nil {
		return err
	}
	h.overlays.mu.Lock()
	defer h.overlays.mu.Unlock()
	h.overlays.known, h.overlays.trusted = &now, false
	if (now.Refusal == "") != (before.Refusal == "") { // the words name the container, and are new each time
		h.tellFinding(now)
	}
	return h.keepFinding(now)
}

// doubt forgets the finding of an earlier gatewayd, with which a launch has come
// to nothing: the next launch waits for a try of our own. Confirm would come too
// late, when not one gateway can start by overlay.
func (h *Host) doubt() {
	h.overlays.mu.Lock()
	defer h.overlays.mu.Unlock()
	if h.overlays.trusted {
		h.overlays.known, h.overlays.trusted = nil, false
		_ = os.Remove(h.findingPath()) // one that stays is doubted again
	}
}

// findOut has the container try. It is called with the lock held: every launch
// that wants an overlay waits for the answer.
func (h *Host) findOut(ctx context.Context, where string) error {
	found, err := h.try(ctx, where)
	if err != nil {
		return err
	}
	h.overlays.known = &found
	h.tellFinding(found)
	if err := h.keepFinding(found); err != nil {
		h.log().Warn("what was found out about overlays cannot be kept, the next start tries again",
			zap.String("event", "overlay-tried"), zap.Error(err))
	}
	return found.err()
}

func (h *Host) tellFinding(f finding) {
	text := "overlays work here"
	if f.Refusal != "" {
		text = "overlays do not work here: " + f.Refusal
	}
	h.log().Info(text, zap.String("event", "overlay-tried"))
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

func (h *Host) findingPath() string { return filepath.Join(h.Dirs.State, "overlays.json") }

func (h *Host) keptFinding(where string) (finding, bool) {
	var f finding
	data, err := os.ReadFile(h.findingPath())
	if err != nil || json.Unmarshal(data, &f) != nil {
		return finding{}, false
	}
	return f, f.Where == where
}

// keepFinding needs no sync: a file that a power loss has cut is none.
func (h *Host) keepFinding(f finding) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	aside := h.findingPath() + ".new"
	if err := os.WriteFile(aside, data, 0o600); err != nil {
		return err
	}
	return os.Rename(aside, h.findingPath())
}

// try runs the throw-away container. An error says that it could not be tried:
// nothing is known then.
func (h *Host) try(ctx context.Context, where string) (finding, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	id, lower, err := bundle.MakeDir(h.Dirs.Rootfs(), tryName, 0, 0o755)
	if err != nil {
		return finding{}, err
	}
	defer func() { _ = bundle.Remove(context.WithoutCancel(ctx), h.Dirs.Rootfs(), id, bundle.RemoveOptions{}) }()
	if err := h.makeLower(lower); err != nil {
		return finding{}, err
	}
	refusal := h.tryOn(ctx, lower)
	if ctx.Err() != nil {
		return finding{}, fmt.Errorf("try an overlay: %w", ctx.Err())
	}
	f := finding{Where: where}
	if refusal != nil {
		f.Refusal = strings.ReplaceAll(refusal.Error(), "\n", "; ")
	}
	return f, nil
}

const tryName = "overlay-probe"

// makeLower makes a tree with something to change and to remove in it, which
// belongs to container root.
func (h *Host) makeLower(dir string) error {
	uid, gid := h.ids()
	for _, d := range []string{dir, filepath.Join(dir, "d"), filepath.Join(dir, "d/e")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
		if err := os.Lchown(d, uid, gid); err != nil {
			return err
		}
	}
	file := filepath.Join(dir, "d/f")
	if err := os.WriteFile(file, []byte("lower"), 0o644); err != nil {
		return err
	}
	return os.Lchown(file, uid, gid)
}

// tryOn runs one launch like any other, but that it is staged on trust and that
// its words are kept for the refusal.
func (h *Host) tryOn(ctx context.Context, lower string) error {
	g := config.Gateway{
		Name: tryName, Rootfs: lower, Command: []string{bundle.InitTarget, "try-overlay"},
		Staging:   config.Staging{Stage: staging.Overlay, IDs: "single", Verify: "never"},
		Isolation: config.Isolation{Network: bundle.NetworkHost, Seccomp: "unconfined", Init: true},
	}
	var said lines
	l := NewLauncher(h, g)
	l.trying, l.write = true, said.write
	exits, err := l.Prepare(ctx, 1, g.Revision())
	if err == nil {
		err = l.Start(ctx, 1)
	}
	if err == nil {
		select {
		case exit := <-exits:
			err = exit.Cause()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil && said.text() != "" {
		err = fmt.Errorf("%s (%w)", said.text(), err)
	}
	// What it could not remove, the next sweep does.
	return errors.Join(err, l.Clean(context.WithoutCancel(ctx), 1))
}

// lines are what the throw-away container said.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) write(_ context.Context, line journal.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) < 4 {
		l.all = append(l.all, string(line.Text))
	}
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "; ")
}
