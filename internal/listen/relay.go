package listen

import (
	"context"
	"io"
	"net"
	"sync"
)

// buffers are for one direction of a relay.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// join relays between two connections until both directions have ended, one of them is
// broken, or ctx ends.
func join(ctx context.Context, a, b net.Conn) {
	broken := func() { a.Close(); b.Close() }
	defer context.AfterFunc(ctx, broken)()
	var both sync.WaitGroup
	both.Go(func() { pass(a, b, broken) })
	both.Go(func() { pass(b, a, broken) })
	both.Wait()
}

// pass relays one direction. Its end is passed on: the other direction may go on.
func pass(to, from net.Conn, broken func()) {
	buffer := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buffer)
	// ReadFrom and WriteTo are hidden: splice(2) would take two pipes of the user's budget for each relay.
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buffer[:])
	if err == nil {
		err = to.(interface{ CloseWrite() error }).CloseWrite()
	}
	if err != nil {
		broken()
	}
}
