package staging

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// ErrDigest: the tree is not the one that the configuration pins.
var ErrDigest = errors.New("not the digest that is pinned")

// first: whatever depends on the answer must wait for it.
func first(s config.Staging) bool { return s.Digest != "" || s.Verify == "always" }

func content(s config.Staging) bundle.Content {
	switch s.Verify {
	case "always":
		return bundle.ContentAll
	case "never":
		return bundle.ContentNone
	}
	return bundle.ContentChanged
}

func pinned(r Request, digest string) error {
	if want := r.Staging.Digest; want != "" && want != digest {
		return fmt.Errorf("verify %s: %w: it has %s, the configuration wants %s; install the tree that is wanted, or pin this one if it is meant",
			r.Source, ErrDigest, digest, want)
	}
	return nil
}

// Lasting reports whether err is about what a package, the configuration or the
// user's rights are like, and would be the same at another try. What a machine is
// short of, or a tree that was being changed, may pass.
func Lasting(err error) bool {
	if errors.Is(err, bundle.ErrChanged) {
		return false // whatever it was that was not there at that moment
	}
	for _, lasting := range []error{
		ErrDigest, ErrRefused,
		bundle.ErrSpecialFile, bundle.ErrTooLarge, bundle.ErrUnmapped, bundle.ErrNoRange,
		fs.ErrPermission, fs.ErrNotExist, unix.ENOTDIR, unix.EXDEV, unix.ELOOP,
	} {
		if errors.Is(err, lasting) {
			return true
		}
	}
	return false
}

// Digest is that of the tree at path as it is now, taken as a launch would take
// it; empty with verify = "never".
func (s *Stager) Digest(ctx context.Context, path string, ids bundle.IDMap, staging config.Staging) (string, error) {
	if staging.Verify == "never" && staging.Digest == "" {
		return "", nil
	}
	survey, err := s.source(path, ids).examine(ctx, content(staging))
	if err != nil {
		return "", err
	}
	return survey.Digest, nil
}
