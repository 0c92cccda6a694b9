package staging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"sync/atomic"
	"time"

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
	known atomic.Pointer[bundle.Survey]
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
func (s *source) last() *bundle.Survey { return s.known.Load() }

// examine looks at the tree.
func (s *source) examine(ctx context.Context, content bundle.Content) (*bundle.Survey, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.stager.Hold != nil {
		defer s.stager.Hold()()
	}
	survey, err := bundle.Examine(ctx, s.path, bundle.SurveyOptions{
		Content: content, Cache: s.cache, IDs: s.ids, Helper: s.stager.Helper,
	})
	if err != nil {
		return nil, err
	}
	if last := s.last(); last != nil && survey.Digest == "" && last.State == survey.State {
		survey.Digest = last.Digest // nothing was touched since that was read
	}
	s.known.Store(survey)
	touch(s.cache, time.Now())
	return survey, nil
}
