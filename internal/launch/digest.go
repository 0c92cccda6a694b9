package launch

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// Digest is that of the gateway's source as it is now; empty where the
// configuration has nobody look at it.
func (h *Host) Digest(ctx context.Context, g config.Gateway) (string, error) {
	source := g.Rootfs
	if g.Bundle != "" {
		packaged, err := bundle.Open(g.Bundle)
		if err != nil {
			return "", err
		}
		source = packaged.Rootfs
	}
	return h.digest(ctx, g, source)
}

func (h *Host) digest(ctx context.Context, g config.Gateway, source string) (string, error) {
	ids, err := h.idMap(g)
	if err != nil {
		return "", err
	}
	return h.staging().Digest(ctx, source, ids, g.Staging)
}

// Package is the digest of the gateway's source, and of all else that a launch
// takes from it: the config.json of a bundle. The one of the source is empty as
// that of Digest is.
func (h *Host) Package(ctx context.Context, g config.Gateway) (source, rest string, err error) {
	if g.Bundle == "" {
		source, err = h.Digest(ctx, g)
		return source, "", err
	}
	packaged, err := bundle.Open(g.Bundle)
	if err != nil {
		return "", "", err
	}
	spec, err := json.Marshal(packaged.Spec)
	if err != nil {
		return "", "", fmt.Errorf("read %s: %w", g.Bundle, err)
	}
	source, err = h.digest(ctx, g, packaged.Rootfs)
	return source, fmt.Sprintf("%x", sha256.Sum256(spec)), err
}
