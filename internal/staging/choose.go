package staging

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// ErrRefused: the configuration asks for an overlay that cannot be had.
var ErrRefused = errors.New("no overlay can be had")

// choose returns the mode, and what kept a launch from an overlay.
func (s *Stager) choose(ctx context.Context, r Request, of *source) (mode, why string, err error) {
	switch {
	case r.Trusting:
		return Overlay, "", nil
	case r.Bare:
		return Copy, "isolation.bare: without a container nothing can be mounted", nil
	case r.Staging.Stage == "copy":
		return Copy, `stage = "copy"`, nil
	}
	insist := r.Staging.Stage == "overlay"
	refusal, err := s.refusal(ctx, r, of, insist)
	switch {
	case insist && err != nil:
		return "", "", fmt.Errorf(`stage %s by overlay: %w`, r.Source, err)
	case insist && refusal != nil:
		return "", "", fmt.Errorf(`stage %s by overlay: %w: %w`, r.Source, ErrRefused, refusal)
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case err != nil: // a copy may well be had
		return Copy, err.Error(), nil
	case refusal != nil:
		return Copy, refusal.Error(), nil
	}
	return Overlay, "", nil
}

// refusal is what keeps a tree from being the lower one of an overlay, nil for
// nothing. The quickest question comes first.
func (s *Stager) refusal(ctx context.Context, r Request, of *source, insist bool) (refusal, err error) {
	if !r.IDs.Single() && len(r.SourceIDs.UIDs) > 0 && !r.SourceIDs.Equal(r.IDs) {
		return errors.New("the bundle's files belong to the ids of another mapping, which only a copy can change"), nil
	}
	if refusal, err := s.Overlays(ctx, insist); refusal != nil || err != nil {
		return refusal, err
	}
	return of.refusal(ctx, r, insist)
}

// refusal is the tree's part. What was last known of it is enough, unless its
// directory was replaced or touched since: the whole tree is looked at again
// while the launch runs. insist: a no has to be of this moment.
func (of *source) refusal(ctx context.Context, r Request, insist bool) (refusal, err error) {
	last, err := of.upToDate(ctx)
	if err != nil {
		return nil, err
	}
	refusal = last.OverlayRefusal(r.Source, r.IDs, r.ReadOnly)
	if refusal == nil || !insist {
		return refusal, nil
	}
	if last, err = of.examine(ctx, bundle.ContentNone); err != nil {
		return nil, err
	}
	return last.OverlayRefusal(r.Source, r.IDs, r.ReadOnly), nil
}
