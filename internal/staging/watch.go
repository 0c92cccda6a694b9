package staging

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/pkg/bundle"
)

const (
	// lookAfter leaves a launch of a known tree the processor until it is up.
	lookAfter = 2 * time.Second
	lookEvery = time.Minute
	// lookShare bounds what looking costs: a tree that takes a second to walk is
	// looked at every 17 minutes.
	lookShare = 1000
)

// News is what Watch tells of a tree.
type News struct {
	Digest string // as it is now; empty where Err says why that is not known

	// Changed: the tree is not what it was when the launch began, and Was was
	// its digest then, if that was known.
	Changed bool
	Was     string
	Err     error

	// Unfit: why no overlay could be made of the tree as it is now.
	Unfit error
}

// Watch looks at the tree beneath an overlay until ctx ends. It tells the digest
// when it is known, and then every change. Of a copy, and with verify = "never",
// it tells nothing and returns at once. One at a time.
func (st *Staged) Watch(ctx context.Context, tell func(News)) {
	if st.Mode != Overlay || st.verify == "never" {
		return
	}
	w := &watch{base: st.before, shown: st.before}
	pause := time.Duration(0)
	if st.Digest != "" { // nobody waits for it
		pause = lookAfter
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		began := time.Now()
		survey, err := st.source.examine(ctx, bundle.ContentChanged)
		if ctx.Err() != nil {
			return
		}
		if news, ok := w.judge(survey, err); ok {
			if err == nil {
				news.Unfit = st.unfit(survey)
			}
			tell(news)
		}
		st.before = w.base
		pause = st.source.stager.pause(time.Since(began))
	}
}

// pause is how long Watch waits after a look that took so long.
func (s *Stager) pause(took time.Duration) time.Duration {
	if s.Every > 0 {
		return s.Every
	}
	return max(lookEvery, lookShare*took)
}

// watch is what was found so far.
type watch struct {
	base    *bundle.Survey // what the launch began with
	shown   *bundle.Survey // what was told last
	failing error          // what was told after that: one of those that failure returns
}

// judge says whether a look is news.
func (w *watch) judge(survey *bundle.Survey, err error) (News, bool) {
	if err != nil {
		known := w.failing
		w.failing = failure(err)
		return News{Changed: w.base != nil && isOther(err), Was: digestOf(w.base), Err: err}, !errors.Is(w.failing, known)
	}
	if w.base == nil {
		w.base = survey
	} else if w.failing == nil && w.shown.State == survey.State {
		return News{}, false
	}
	w.shown, w.failing = survey, nil
	return News{Digest: survey.Digest, Changed: survey.State != w.base.State, Was: w.base.Digest}, true
}

// errUnreadable stands for all that says nothing of the tree.
var errUnreadable = errors.New("unreadable")

// failure is what an error comes down to: it is told once, and another one again. A
// tree that is removed is one that changes, and then one that is not there.
func failure(err error) error {
	for _, of := range []error{bundle.ErrChanged, fs.ErrNotExist, unix.ENOTDIR} {
		if errors.Is(err, of) {
			return of
		}
	}
	return errUnreadable
}

// isOther: an error may say that the tree is not what it was, or nothing of it.
func isOther(err error) bool { return !errors.Is(failure(err), errUnreadable) }

func digestOf(s *bundle.Survey) string {
	if s == nil {
		return ""
	}
	return s.Digest
}
