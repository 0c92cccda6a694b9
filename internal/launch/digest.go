package launch

import (
	"context"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// Digest is that of the gateway's source as it is now; empty where the
// configuration has nobody look at it.
func (h *Host) Digest(ctx context.Context, g config.Gateway) (string, error) {
	ids, err := h.idMap(g)
	if err != nil {
		return "", err
	}
	source := g.Rootfs
	if g.Bundle != "" {
		packaged, err := bundle.Open(g.Bundle)
		if err != nil {
			return "", err
		}
		source = packaged.Rootfs
	}
	return h.staging().Digest(ctx, source, ids, g.Staging)
}
