package supervisor

import "context"

// Traffic decides which launch of a gateway gets new connections.
type Traffic interface {
	// Switch gives launch n share percent of the new connections; the rest goes to the launch that last got 100.
	// 100: all. 0: none any more. It is quick: the gateway's loop itself calls it, in the order of its decisions.
	Switch(n, share int) error

	// InFlight counts the connections that launch n has, accepted or waiting for it. An error that wraps
	// ErrUncounted says that nobody can know.
	InFlight(ctx context.Context, n int) (int, error)
}
