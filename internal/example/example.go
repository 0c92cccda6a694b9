package example

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Address is where the example gateway listens unless told otherwise.
const Address = "127.0.0.1:8090"

// Linger is how long the example gateway goes on after SIGTERM for clients that
// have a connection and no request on it.
const Linger = time.Second

// patience bounds the whole end: less than the ten seconds after which gatewayd
// kills by default.
const patience = 8 * time.Second

// Options say how the example gateway runs.
type Options struct {
	Address string        // host:port, or unix:/path; empty: Address. Unused with an inherited socket
	Log     io.Writer     // a line for each start, end and crash; nil: none
	Warmup  time.Duration // how long it takes to start, before it listens
	Linger  time.Duration // see the package; 0: it does not, as most programs
}

// Run serves until SIGTERM, SIGINT or the end of ctx, then finishes what is in
// flight and returns nil. It returns an error when it cannot listen, or when a
// request was still in flight at the end of its patience (it is cut off then).
func Run(ctx context.Context, o Options) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if o.Log == nil {
		o.Log = io.Discard
	}
	select {
	case <-time.After(o.Warmup):
	case <-ctx.Done():
		return nil
	}
	listeners, err := listen(o.Address)
	if err != nil {
		return err
	}
	// From here on connections are queued by the kernel and will be answered.
	s := newServer(o, listeners)
	s.start()
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		fmt.Fprintf(o.Log, "tell that it is ready: %v\n", err)
	}
	select {
	case err := <-s.returned:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) // who does not listen misses nothing
	fmt.Fprintln(o.Log, "example gateway ends, requests in flight first")
	return s.end(o.Linger)
}

func newServer(o Options, listeners []net.Listener) *server {
	s := &server{listeners: listeners, log: o.Log, returned: make(chan error, len(listeners))}
	s.http = &http.Server{Handler: s.sayingGoodbye(routes(o.Log)), ReadHeaderTimeout: 5 * time.Second, ConnState: s.count}
	return s
}
