package load

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Held are connections that are open and silent.
type Held []*net.TCPConn

// Release closes them.
func (h Held) Release() {
	for _, conn := range h {
		_ = conn.Close() // by a reset: nothing to be told
	}
}

// Hold opens n connections and has one answer on each, so that whoever serves it
// has all that it needs for one. It closes what it has when it fails.
func Hold(ctx context.Context, address string, n int) (Held, error) {
	r := &runner{Options: Options{Address: address, Timeout: 5 * time.Second}, request: request("/healthz")}
	var held Held
	buffer := make([]byte, 4096)
	for len(held) < n {
		conn, err := r.dial()
		if err == nil {
			held = append(held, conn)
			err = r.served(conn, buffer)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			held.Release()
			return nil, fmt.Errorf("open connection %d of %d: %w", len(held), n, err)
		}
	}
	return held, nil
}
