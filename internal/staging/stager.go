package staging

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// Modes of a Staged.
const (
	Copy    = "copy"
	Overlay = "overlay"
)

// A Stager stages the trees of one gatewayd. Its fields are set before the first
// Stage and not changed afterwards.
type Stager struct {
	Cache  string   // directory for what is known of the trees
	Helper []string // as bundle.CopyOptions has it

	// Overlays tells whether the runtime can make an overlay a container's root:
	// no refusal, or why not. insist: an earlier no is not enough, since without
	// an overlay nothing will run. An error says that it could not be found out.
	Overlays func(ctx context.Context, insist bool) (refusal, err error)

	// Hold keeps others from reaping the helper's process until the function
	// that it returns is called. Nil: there is nobody who would.
	Hold func() (release func())

	// Every is how often Watch looks. Zero: as seldom as the package says.
	Every time.Duration

	mu      sync.Mutex
	sources map[string]*source
}

// A Request is what one launch wants.
type Request struct {
	Source    string // the packaged tree
	Dest      string // is made
	IDs       bundle.IDMap
	SourceIDs bundle.IDMap // as bundle.CopyOptions has it
	Staging   config.Staging
	ReadOnly  bool // the container's root is
	Bare      bool // there is no container, so there can be no overlay
	Trusting  bool // an overlay is made without a word: this launch is to find out whether it works
}

// Staged is the root of one launch.
type Staged struct {
	Mode    string // Copy or Overlay
	Why     string // what kept it from an overlay; empty when nothing did
	Digest  string // of the tree, beneath an overlay as it was last; empty while it is not known, and with verify = "never"
	Root    string // what config.json names
	Overlay *bundle.Overlay
	Copied  bundle.Copied // zero with an overlay

	source   *source
	before   *bundle.Survey // from before an overlay was made, or of the first look at it; nil: there is none
	verify   string
	ids      bundle.IDMap
	readOnly bool // the container's root is
}

// unfit is why no overlay could be made of the tree as it is now; see News.
func (st *Staged) unfit(survey *bundle.Survey) error {
	return survey.OverlayRefusal(st.source.path, st.ids, st.readOnly)
}

// Stage makes the root that r asks for. After an error there may be something
// of it, for bundle.Remove. Lasting tells the errors that another try will not
// mend. Of a tree that is refused for good nothing is kept.
func (s *Stager) Stage(ctx context.Context, r Request) (*Staged, error) {
	staged, err := s.stage(ctx, r)
	if err != nil && Lasting(err) {
		err = errors.Join(err, s.source(r.Source, r.IDs).forget(ctx))
	}
	return staged, err
}

func (s *Stager) stage(ctx context.Context, r Request) (*Staged, error) {
	staged := &Staged{source: s.source(r.Source, r.IDs), verify: r.Staging.Verify, ids: r.IDs, readOnly: r.ReadOnly}
	if first(r.Staging) {
		var err error
		if staged.before, err = staged.source.examine(ctx, content(r.Staging)); err != nil {
			return nil, err
		}
		staged.Digest = staged.before.Digest
		if err := pinned(r, staged.Digest); err != nil {
			return nil, err
		}
	}
	mode, why, err := s.choose(ctx, r, staged.source)
	if err != nil {
		return nil, err
	}
	staged.Mode, staged.Why = mode, why
	if mode == Overlay {
		staged.expect()
		return staged, staged.mount(r)
	}
	return staged, staged.copy(ctx, s, r)
}

// expect takes the digest that the tree had last, until Watch has looked again.
func (st *Staged) expect() {
	if last := st.source.last(); st.verify != "never" && last != nil {
		st.Digest = last.Digest
	}
}

// mount makes what the runtime needs to mount the overlay.
func (st *Staged) mount(r Request) error {
	overlay, err := bundle.MakeOverlay(r.Dest, r.Source, r.IDs)
	if err != nil {
		return err
	}
	st.Overlay, st.Root = &overlay, overlay.Root
	return nil
}

// copy copies the tree, and takes its digest meanwhile.
func (st *Staged) copy(ctx context.Context, s *Stager, r Request) error {
	taken := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { taken <- st.take(ctx, r) }()
	var err error
	st.Root = r.Dest
	st.Copied, err = bundle.Copy(ctx, r.Source, r.Dest, bundle.CopyOptions{
		IDs: r.IDs, SourceIDs: r.SourceIDs, Helper: s.Helper,
		MaxSize: r.Staging.MaxSize, MaxFiles: r.Staging.MaxFiles,
		SkipSpecial: r.Staging.SkipSpecial, KeepSetuid: r.Staging.KeepSetuid,
	})
	if err != nil {
		cancel() // nobody wants to know
	}
	if takeErr := <-taken; err == nil {
		err = takeErr
	}
	if err == nil && st.before != nil {
		err = st.unchanged(ctx)
	}
	return err
}

// unchanged looks whether what was copied is what was examined before: a pin is
// worth nothing for a tree that can be swapped in between.
func (st *Staged) unchanged(ctx context.Context) error {
	after, err := st.source.examine(ctx, bundle.ContentNone)
	if err != nil {
		return err
	}
	if after.State != st.before.State {
		return fmt.Errorf("copy %s: %w", st.source.path, bundle.ErrChanged)
	}
	return nil
}

// take finds out the digest, unless it is known or not wanted. Where the next
// launch may want an overlay the tree is looked at in any case.
func (st *Staged) take(ctx context.Context, r Request) error {
	if st.before != nil || st.verify == "never" && (r.Staging.Stage == "copy" || r.Bare) {
		return nil
	}
	survey, err := st.source.examine(ctx, content(r.Staging))
	if err == nil {
		st.Digest = survey.Digest
	}
	return err
}
