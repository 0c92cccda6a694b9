package staging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// A source is one packaged tree and what is known of it. Gateways with the same
// one share it.
type source struct {
	path   string
	cache  string
	ids    bundle.IDMap
	stager *Stager

	turn  chan struct{} // held by who examines it: a second one finds the cache filled
	known atomic.Pointer[known]
}

// known is the newest survey of a tree.
type known struct {
	survey *bundle.Survey
	top    top // of before it
}

// top is the tree's own directory. One that replaces it, as an upgrade in place
// by rename does, is another.
type top struct {
	dev, ino     uint64
	mtime, ctime unix.Timespec
}

func topOf(path string) top {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return top{} // Examine will say why
	}
	return top{st.Dev, st.Ino, st.Mtim, st.Ctim}
}

// source returns what is known of the tree at path. The ids decide what a
// helper can read of it, and so they are a part of what it is known by.
func (s *Stager) source(path string, ids bundle.IDMap) *source {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := path
	if !ids.Single() {
		key = "range:" + path
	}
	if known := s.sources[key]; known != nil {
		return known
	}
	if s.sources == nil {
		s.sources = make(map[string]*source)
	}
	sum := sha256.Sum256([]byte(key))
	made := &source{
		path: path, ids: ids, stager: s,
		cache: filepath.Join(s.Cache, hex.EncodeToString(sum[:16])),
		turn:  make(chan struct{}, 1),
	}
	s.sources[key] = made
	return made
}

// last is the newest survey; nil: none yet.
func (s *source) last() *bundle.Survey {
	if k := s.known.Load(); k != nil {
		return k.survey
	}
	return nil
}

// upToDate is the newest survey, or a new one where a single look shows that
// the tree is another one now.
func (s *source) upToDate(ctx context.Context) (*bundle.Survey, error) {
	if k := s.known.Load(); k != nil && k.top == topOf(s.path) {
		return k.survey, nil
	}
	return s.examine(ctx, bundle.ContentNone)
}

// take waits until nobody else examines the tree with its cache.
func (s *source) take(ctx context.Context) (release func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// forget removes the cache: a tree that is refused is not asked for again, and the
// names of its entries, which nobody has looked at, are not kept.
func (s *source) forget(ctx context.Context) error {
	release, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	err = os.Remove(s.cache)
	step.Done("digests-forgotten")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// examine looks at the tree.
func (s *source) examine(ctx context.Context, content bundle.Content) (*bundle.Survey, error) {
	if content != bundle.ContentNone { // which has no use for the cache, and need not wait for who reads it all
		release, err := s.take(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	if s.stager.Hold != nil {
		defer s.stager.Hold()()
	}
	before := topOf(s.path)
	survey, err := bundle.Examine(ctx, s.path, bundle.SurveyOptions{
		Content: content, Cache: s.cache, IDs: s.ids, Helper: s.stager.Helper,
	})
	if err != nil {
		return nil, err
	}
	if last := s.last(); last != nil && survey.Digest == "" && last.State == survey.State {
		survey.Digest = last.Digest // nothing was touched since that was read
	}
	s.known.Store(&known{survey, before})
	touch(s.cache, time.Now())
	return survey, nil
}
