package probe

import (
	"context"
	"net"
)

// Dial connects to the gateway in a way of its own: to one launch of several that
// answer at one address.
type Dial func(ctx context.Context) (net.Conn, error)

// forHTTP is nil where net/http is to connect by itself.
func (d Dial) forHTTP() func(ctx context.Context, network, address string) (net.Conn, error) {
	if d == nil {
		return nil
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return d(ctx) }
}

func (d Dial) orTo(network, address string) Dial {
	if d != nil {
		return d
	}
	return func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, address) }
}
