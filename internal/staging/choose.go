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
	refusal, err := s.refusal(ctx, r, of)
	switch {
	case err != nil:
		return "", "", err
	case refusal == nil:
		return Overlay, "", nil
	case r.Staging.Stage == "overlay":
		return "", "", fmt.Errorf(`stage = "overlay": %w: %w`, ErrRefused, refusal)
	}
	return Copy, refusal.Error(), nil
}

// refusal is what keeps a tree from being the lower one of an overlay, nil for
// nothing. The quickest question comes first. Of the tree what was last known is
// enough: it is looked at again while the launch runs.
func (s *Stager) refusal(ctx context.Context, r Request, of *source) (refusal, err error) {
	if !r.IDs.Single() && len(r.SourceIDs.UIDs) > 0 && !r.SourceIDs.Equal(r.IDs) {
		return errors.New("the bundle's files belong to the ids of another mapping, which only a copy can change"), nil
	}
	if refusal := bundle.CheckUpper(s.Upper); refusal != nil {
		return refusal, nil
	}
	if refusal := s.Overlays(ctx); refusal != nil {
		return refusal, ctx.Err()
	}
	survey := of.last()
	if survey == nil {
		if survey, err = of.examine(ctx, bundle.ContentNone); err != nil {
			return nil, err
		}
	}
	return survey.OverlayRefusal(r.Source, r.IDs, r.ReadOnly), nil
}
