package example

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// Address is where the example gateway listens unless told otherwise.
const Address = "127.0.0.1:8090"

// drain bounds how long requests in flight may take once the end is asked for:
// less than the ten seconds after which gatewayd kills by default.
const drain = 8 * time.Second

// Options say how the example gateway runs.
type Options struct {
	Address string    // host:port; empty: Address. Unused with an inherited socket
	Log     io.Writer // a line for each start, end and crash; nil: none
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
	listeners, err := listen(o.Address)
	if err != nil {
		return err
	}
	// From here on connections are queued by the kernel and will be answered.
	srv := &http.Server{Handler: routes(o.Log), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		fmt.Fprintf(o.Log, "example gateway listens on %s\n", l.Addr())
		go func() { failed <- srv.Serve(l) }()
	}
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		fmt.Fprintf(o.Log, "tell that it is ready: %v\n", err)
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	return end(srv, o.Log)
}

// listen returns the inherited sockets or, where there is none, one of its own.
func listen(address string) ([]net.Listener, error) {
	inherited, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take over sockets: %w", err)
	}
	var listeners []net.Listener
	for _, l := range inherited {
		if l != nil { // a descriptor that is no stream socket
			listeners = append(listeners, l)
		}
	}
	if len(listeners) > 0 {
		return listeners, nil
	}
	if address == "" {
		address = Address
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err // says "listen tcp 127.0.0.1:8090" itself
	}
	return []net.Listener{l}, nil
}

func end(srv *http.Server, log io.Writer) error {
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) // who does not listen misses nothing
	fmt.Fprintln(log, "example gateway ends, requests in flight first")
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		srv.Close()
		return fmt.Errorf("end: requests were in flight for more than %s", drain)
	}
	return err
}
