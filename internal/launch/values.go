package launch

import (
	"context"
	"slices"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/secrets"
)

// Values are those that a launch would get from outside of the configuration,
// two for each: whether there is one, and what it is. They are the caller's to
// clear.
func (h *Host) Values(ctx context.Context, g config.Gateway) (values [][]byte) {
	defer h.children.hold()()
	add := func(value []byte, had bool) {
		mark := byte('-')
		if had {
			mark = '+'
		}
		values = append(values, []byte{mark}, value)
	}
	for _, name := range slices.Concat(g.Env.Pass, g.Env.Required) {
		value, set := h.Env(name)
		add([]byte(value), set)
	}
	for _, s := range g.Secrets {
		var value []byte
		err := secrets.Guard() // a gateway that was held before has brought none yet
		if err == nil {
			value, err = secrets.Sources{Lookup: h.Env}.Read(ctx, s)
		}
		add(value, err == nil)
	}
	return values
}
