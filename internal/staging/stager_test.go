package staging

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// world is a stager with a packaged tree that belongs to container root.
type world struct {
	*Stager
	t      *testing.T
	source string
	upper  string // all roots are made in it
	next   int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, source: filepath.Join(dir, "source"), upper: filepath.Join(dir, "upper")}
	for _, d := range []string{"cache", "upper", "source", "source/etc"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(w.source, "etc/motd"), []byte("hello"), 0o644))
	w.Stager = &Stager{
		Cache:    filepath.Join(dir, "cache"),
		Overlays: func(context.Context, bool) (error, error) { return nil, nil }, //nolint:nilnil // no refusal, no error
	}
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// request is a plain one, whose ids are those of this process.
func (w *world) request() Request {
	w.next++
	return Request{
		Source: w.source, Dest: filepath.Join(w.upper, fmt.Sprint(w.next)),
		IDs:     bundle.SingleID(os.Geteuid(), os.Getegid()),
		Staging: config.Staging{Stage: "auto", IDs: "single", Verify: "changed"},
	}
}

func (w *world) stage(r Request) *Staged {
	w.t.Helper()
	staged, err := w.Stage(w.t.Context(), r)
	must(w.t, err)
	return staged
}

// nothingMore holds after a refusal: nothing is left of it.
func (w *world) nothingMore(before int) {
	w.t.Helper()
	entries, err := os.ReadDir(w.upper)
	must(w.t, err)
	if len(entries) != before {
		w.t.Errorf("left: %v", entries)
	}
}

func refusing(refusal error) func(context.Context, bool) (error, error) {
	return func(context.Context, bool) (error, error) { return refusal, nil }
}

func TestChoice(t *testing.T) {
	refuses := errors.New("crun makes none")
	for name, test := range map[string]struct {
		change    func(*world, *Request)
		mode, why string
	}{
		"auto":              {func(*world, *Request) {}, Overlay, ""},
		"as asked, overlay": {func(_ *world, r *Request) { r.Staging.Stage = "overlay" }, Overlay, ""},
		"as asked, copy":    {func(_ *world, r *Request) { r.Staging.Stage = "copy" }, Copy, `stage = "copy"`},
		"bare":              {func(_ *world, r *Request) { r.Bare = true }, Copy, "isolation.bare"},
		"runtime":           {func(w *world, _ *Request) { w.Overlays = refusing(refuses) }, Copy, "crun makes none"},
		"on trust": {func(w *world, r *Request) {
			w.Overlays, r.Trusting = refusing(refuses), true
		}, Overlay, ""},
		"unknown": {func(w *world, _ *Request) {
			w.Overlays = func(context.Context, bool) (error, error) { return nil, errors.New("it was killed") }
		}, Copy, "it was killed"},
		"another's mapping": {func(_ *world, r *Request) {
			r.IDs.UIDs = append(r.IDs.UIDs, bundle.IDRange{Container: 1, Host: 100000, Size: 10})
			r.SourceIDs = bundle.SingleID(7, 7)
		}, Copy, "another mapping"},
		"another's tree": {func(_ *world, r *Request) { r.IDs = bundle.SingleID(os.Geteuid()+1, os.Getegid()) }, "", "belongs to"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.request()
			test.change(w, &r)
			of := w.sourceOf(r)
			mode, why, err := w.choose(t.Context(), r, of)
			must(t, err)
			if test.mode != "" && mode != test.mode || !strings.Contains(why, test.why) || (why == "") != (test.why == "") {
				t.Errorf("%s, since %q; want %s, since %q", mode, why, test.mode, test.why)
			}
		})
	}
}

func (w *world) sourceOf(r Request) *source { return w.Stager.source(r.Source, r.IDs) }

// An overlay that is asked for and cannot be had is no copy.
func TestOverlayOrNothing(t *testing.T) {
	w := newWorld(t)
	w.Overlays = refusing(errors.New("no overlays here"))
	r := w.request()
	r.Staging.Stage = "overlay"
	_, err := w.Stage(t.Context(), r)
	if !errors.Is(err, ErrRefused) || !Lasting(err) || !strings.Contains(err.Error(), "no overlays here") {
		t.Errorf("error %v", err)
	}
	w.nothingMore(0)
}

// What may pass is no refusal: the next launch asks again.
func TestOverlayThatCouldNotBeTried(t *testing.T) {
	w := newWorld(t)
	insisted := false
	w.Overlays = func(_ context.Context, insist bool) (error, error) {
		insisted = insist
		return nil, errors.New("it was killed")
	}
	r := w.request()
	r.Staging.Stage = "overlay"
	_, err := w.Stage(t.Context(), r)
	if err == nil || Lasting(err) || !insisted {
		t.Errorf("error %v, insisted %v", err, insisted)
	}
}

// A tree that was mended is looked at again by whoever cannot do without an
// overlay, and one whose directory was touched by everybody.
func TestMendedTree(t *testing.T) {
	w := newWorld(t)
	pipe := filepath.Join(w.source, "etc/pipe")
	must(t, unix.Mkfifo(pipe, 0o600))
	r := w.request()
	r.Staging.Stage = "overlay"
	if _, err := w.Stage(t.Context(), r); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "etc/pipe") || !strings.Contains(err.Error(), w.source) {
		t.Errorf("error %v", err)
	}
	must(t, os.Remove(pipe))
	if st := w.stage(r); st.Mode != Overlay {
		t.Errorf("staged by %s, since %s", st.Mode, st.Why)
	}
	must(t, unix.Mkfifo(filepath.Join(w.source, "pipe"), 0o600))
	r = w.request()
	r.Staging.Stage, r.Staging.SkipSpecial = "auto", true
	if st := w.stage(r); st.Mode != Copy || !strings.Contains(st.Why, "pipe") {
		t.Errorf("staged by %s, since %s", st.Mode, st.Why)
	}
}

// A tree that is being upgraded while it is staged is tried again.
func TestChangingIsNotLasting(t *testing.T) {
	for _, err := range []error{unix.ENOENT, unix.ENOTDIR, unix.ELOOP} {
		if Lasting(fmt.Errorf("%w: %w", bundle.ErrChanged, err)) || !Lasting(err) {
			t.Error(err)
		}
	}
}

func TestRoots(t *testing.T) {
	w := newWorld(t)
	over := w.stage(w.request())
	if over.Overlay == nil || over.Overlay.Lower != w.source || over.Root != over.Overlay.Root {
		t.Errorf("overlay %+v", over)
	}
	copied := w.request()
	copied.Staging.Stage = "copy"
	st := w.stage(copied)
	if data, err := os.ReadFile(filepath.Join(st.Root, "etc/motd")); string(data) != "hello" {
		t.Errorf("copy: %q, %v", data, err)
	}
	again := w.stage(w.request())
	if !strings.HasPrefix(st.Digest, "sha256:") || over.Digest != "" || again.Digest != st.Digest {
		t.Errorf("digests %q, %q, %q: of a copy it is known at once, of the first overlay later", over.Digest, st.Digest, again.Digest)
	}
}

// A pin is held against the tree as it is, before anything is made of it.
func TestPin(t *testing.T) {
	for _, stage := range []string{"copy", "overlay"} {
		for _, verify := range []string{"changed", "always"} {
			t.Run(stage+" "+verify, func(t *testing.T) {
				w := newWorld(t)
				r := w.request()
				r.Staging.Stage, r.Staging.Verify, r.Staging.Digest = stage, verify, "sha256:"+strings.Repeat("0", 64)
				_, err := w.Stage(t.Context(), r)
				if !errors.Is(err, ErrDigest) || !Lasting(err) || !strings.Contains(err.Error(), r.Staging.Digest) {
					t.Fatalf("error %v", err)
				}
				w.nothingMore(0)
				_, has, _ := strings.Cut(err.Error(), "it has ")
				r.Staging.Digest, _, _ = strings.Cut(has, ",")
				if st := w.stage(r); st.Digest != r.Staging.Digest {
					t.Errorf("digest %q", st.Digest)
				}
				must(t, os.WriteFile(filepath.Join(w.source, "etc/motd"), []byte("HELLO"), 0o644))
				r.Dest += "-again"
				if _, err := w.Stage(t.Context(), r); !errors.Is(err, ErrDigest) {
					t.Errorf("another content under the pin: %v", err)
				}
				w.nothingMore(1)
			})
		}
	}
}

// What is swapped between the look and the copy is not what was pinned.
func TestSwapUnderPin(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	r.Staging.Stage = "copy"
	src := w.sourceOf(r)
	before, err := src.examine(t.Context(), bundle.ContentAll)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.source, "etc/motd"), []byte("swapped"), 0o644))
	st := &Staged{source: src, before: before}
	if err := st.copy(t.Context(), w.Stager, r); !errors.Is(err, bundle.ErrChanged) || Lasting(err) {
		t.Errorf("error %v", err)
	}
}

func TestNever(t *testing.T) {
	w := newWorld(t)
	r := w.request()
	r.Staging.Stage, r.Staging.Verify = "copy", "never"
	if st := w.stage(r); st.Digest != "" {
		t.Errorf("digest %q", st.Digest)
	}
	over := w.request()
	over.Staging.Verify = "never"
	w.stage(over).Watch(t.Context(), func(News) { t.Error("news of what nobody looks at") }) // returns
}

// Two gateways with one tree read it once.
func TestSourcesAreShared(t *testing.T) {
	w := newWorld(t)
	a, b := w.sourceOf(w.request()), w.sourceOf(w.request())
	if a != b {
		t.Error("two of one")
	}
	several := w.request()
	several.IDs.UIDs = append(several.IDs.UIDs, bundle.IDRange{Container: 1, Host: 100000, Size: 10})
	if w.sourceOf(several) == a {
		t.Error("what a helper can read depends on its ids")
	}
}

// Watch tells the digest and, at the next look, the change; the test does not
// wait a minute for that: it ends the watch and begins another one.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	st := w.stage(w.request())
	first := w.news(st)
	if !strings.HasPrefix(first.Digest, "sha256:") || first.Changed {
		t.Fatalf("news %+v", first)
	}
	st.before = st.source.last()
	must(t, os.WriteFile(filepath.Join(w.source, "etc/new"), nil, 0o644))
	second := w.news(st)
	if !second.Changed || second.Was != first.Digest || second.Digest == first.Digest {
		t.Errorf("news %+v", second)
	}
	st.before = st.source.last()
	must(t, os.RemoveAll(w.source))
	if third := w.news(st); !third.Changed || !errors.Is(third.Err, fs.ErrNotExist) {
		t.Errorf("news %+v", third)
	}
}

// news is the first that a watch tells.
func (w *world) news(st *Staged) News {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	told := make(chan News, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		st.Watch(ctx, func(n News) { told <- n })
	}()
	news := <-told
	cancel()
	<-ended
	return news
}

// Of a tree that is refused nothing is kept, be it the name of an entry; another
// try finds out the same, and the mended tree is taken.
func TestRefusedTreeIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.stage(w.request())
	fifo := filepath.Join(w.source, "etc/fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	r := w.request()
	r.Staging.Stage, r.Staging.Verify = "copy", "always" // it is examined, and its names are kept, before it is refused
	for range 2 {
		r.Dest += "-again"
		if _, err := w.Stage(t.Context(), r); !errors.Is(err, bundle.ErrSpecialFile) || !Lasting(err) {
			t.Fatalf("error %v", err)
		}
		if kept, err := os.ReadDir(w.Cache); err != nil || len(kept) > 0 {
			t.Errorf("kept: %v, %v", kept, err)
		}
	}
	must(t, os.Remove(fifo))
	r.Dest += "-mended"
	if st := w.stage(r); st.Digest == "" {
		t.Error("no digest")
	}
	if kept, err := os.ReadDir(w.Cache); err != nil || len(kept) != 1 {
		t.Errorf("kept: %v, %v", kept, err)
	}
}

func TestMissingSource(t *testing.T) {
	for _, stage := range []string{"auto", "copy", "overlay"} {
		w := newWorld(t)
		r := w.request()
		r.Source, r.Staging.Stage = filepath.Join(w.source, "nowhere"), stage
		if _, err := w.Stage(t.Context(), r); !errors.Is(err, fs.ErrNotExist) || !Lasting(err) || !strings.Contains(err.Error(), r.Source) {
			t.Errorf("%s: error %v", stage, err)
		}
		w.nothingMore(0)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, stage := range []string{"auto", "copy"} {
		w := newWorld(t)
		r := w.request()
		r.Staging.Stage = stage
		if _, err := w.Stage(ctx, r); !errors.Is(err, context.Canceled) || Lasting(err) {
			t.Errorf("%s: error %v", stage, err)
		}
		w.nothingMore(0)
	}
}
