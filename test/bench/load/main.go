package load

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// Main is a process that asks: until ctx ends or the time is over. It writes a
// line "ready" when each kind has had its first answer, and at the end the
// Result as JSON.
func Main(ctx context.Context, args []string, w io.Writer) error {
	var o Options
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.StringVar(&o.Address, "address", "", "`host:port` to ask")
	flags.StringVar(&o.Path, "path", "", "what to ask for; empty: /healthz")
	flags.IntVar(&o.Fresh, "fresh", 0, "new connections a second")
	flags.IntVar(&o.Kept, "kept", 0, "`number` of connections that are kept")
	flags.DurationVar(&o.Pause, "pause", 0, "of a kept connection between answer and request")
	flags.IntVar(&o.Bulk, "bulk", 0, "`number` of connections that download")
	flags.DurationVar(&o.Timeout, "timeout", 0, "of connecting and of each answer; 0: 5s")
	length := flags.Duration("for", 0, "how long; 0: until SIGINT or SIGTERM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || o.Address == "" || o.Fresh+o.Kept+o.Bulk == 0 {
		return errors.New("usage: load -address HOST:PORT -fresh N|-kept N|-bulk N; see -help")
	}
	if *length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *length)
		defer cancel()
	}
	o.Ready = func() { fmt.Fprintln(w, "ready") }
	if o.Fresh > 0 && time.Second/time.Duration(o.Fresh) < time.Microsecond {
		return fmt.Errorf("load: %d new connections a second are more than can be", o.Fresh)
	}
	return json.NewEncoder(w).Encode(Run(ctx, o))
}
