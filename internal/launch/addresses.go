package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
)

// addresses are all that gatewayd listens on. An address is gatewayd's own, not a
// gateway's: whatever is configured to listen there now, by whatever name and in
// whatever mode, gets the port that is open, beside the launches that still have
// it. So nobody is refused while it goes from one to another.
type addresses struct {
	mu    sync.Mutex
	open  []*port           // in the order in which they were opened
	freed chan struct{}     // closed when a port is; nil: nobody waits for that
	keys  map[string]string // how an address is spelled, and what it is
}

// key tells addresses apart. Of any free port (:0) every listen has its own.
func (a *addresses) key(ctx context.Context, gateway string, l config.Listen) (string, error) {
	if key, ok := a.keys[l.Address]; ok {
		return key, nil
	}
	key, err := listen.Canonical(ctx, l.Address)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(key, ":0") {
		return key + " " + gateway + "." + l.Name, nil
	}
	if a.keys == nil {
		a.keys = make(map[string]string)
	}
	a.keys[l.Address] = key
	return key, nil
}

// at is the port that is open there; nil: none is.
func (a *addresses) at(ctx context.Context, gateway string, l config.Listen) *port {
	key, err := a.key(ctx, gateway, l)
	if err != nil {
		return nil
	}
	for _, o := range a.open {
		if o.key == key {
			return o
		}
	}
	return nil
}

// get opens the port of a listen, unless it is open.
func (a *addresses) get(ctx context.Context, p *ports, l config.Listen, state *listen.State) (*port, error) {
	if o := a.at(ctx, p.gateway, l); o != nil {
		return o, nil
	}
	key, err := a.key(ctx, p.gateway, l)
	if err != nil {
		return nil, err
	}
	o := newPort(p, key, l)
	if o.Port, err = listen.Open(ctx, o.options(l, state)); err != nil {
		return nil, err
	}
	a.open = append(a.open, o)
	return o, nil
}

// tidy closes what neither a configuration nor a launch needs.
func (a *addresses) tidy() error {
	var errs []error
	a.open = slices.DeleteFunc(a.open, func(o *port) bool {
		if len(o.users) > 0 || o.heldBy(nil) {
			return false
		}
		errs = append(errs, o.close())
		if a.freed != nil {
			close(a.freed)
			a.freed = nil
		}
		return true
	})
	return errors.Join(errs...)
}

// awaitFreed returns a channel that is closed when a port is.
func (a *addresses) awaitFreed() <-chan struct{} {
	if a.freed == nil {
		a.freed = make(chan struct{})
	}
	return a.freed
}

// inOurWay says whether an address cannot be had because a port of ours overlaps
// with it, as 0.0.0.0 does with 127.0.0.1, which is in the way until it is closed.
func (a *addresses) inOurWay(err error) bool {
	var taken *listen.TakenError
	if !errors.As(err, &taken) || !slices.ContainsFunc(taken.Holders, func(h listen.Holder) bool { return h.PID == os.Getpid() }) {
		return false
	}
	number := taken.Address[strings.LastIndex(taken.Address, ":")+1:]
	return slices.ContainsFunc(a.open, func(o *port) bool { return strings.HasSuffix(o.Address(), ":"+number) })
}

func faultOf(l config.Listen, err error) error {
	return fmt.Errorf("listen %s on %s: %w", l.Name, l.Address, err)
}
