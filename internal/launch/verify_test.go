package launch

import (
	"testing"

	"github.com/gatewayd/gatewayd/internal/config"
)

// verifySuite: whatever a gateway asks for, its container is found to be as promised.
func verifySuite(t *testing.T, open opener) {
	for what, change := range map[string]func(*config.Gateway){
		"as it is":   func(*config.Gateway) {},
		"no network": func(g *config.Gateway) { g.Isolation.Network = "none" },
		"read-only":  func(g *config.Gateway) { g.Isolation.ReadOnly = true },
		"init":       func(g *config.Gateway) { g.Isolation.Init = true },
		"unconfined": func(g *config.Gateway) { g.Isolation.Seccomp = "unconfined" },
		"all": func(g *config.Gateway) {
			g.Isolation.Network, g.Isolation.ReadOnly, g.Isolation.Init = "none", true, true
		},
	} {
		t.Run("verified/"+what, func(t *testing.T) {
			b := open(t)
			g := b.gateway("echo ready; exec sleep 1000")
			change(&g)
			r := b.startReady(g)
			info := r.Info(r.n)
			if info.Verified.IsZero() || len(info.Differs)+len(info.Unseen) > 0 {
				t.Errorf("info = %+v", info)
			}
			again, err := r.Verify(t.Context(), r.n)
			if err != nil || again.Err() != nil || !r.Info(r.n).Verified.After(info.Verified) {
				t.Errorf("verified again: %v, %+v", err, again)
			}
		})
	}
}
