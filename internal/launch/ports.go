package launch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/internal/proxy"
)

// openTime bounds the opening and the mending of a port, which waits for nobody
// but the kernel.
const openTime = 5 * time.Second

// proxied is the mode of a listen on which gatewayd accepts.
const proxied = "proxy"

// ports are the addresses as one gateway has them.
type ports struct {
	host    *Host
	outdate func(o *port, cause error) // launches have a socket of o that clients do not reach any more
	looking sync.RWMutex               // held for reading by who looks at a port, for writing while suspended
	gateway string

	paused    bool           // looking is held
	suspended []*proxy.Proxy // until resume
	packed    []*port        // likewise
	copies    copies
}

// openAll opens what the newest revision listens on and nobody has opened yet. It
// goes on after an error.
func (p *ports) openAll(gateway string, listens []config.Listen) error {
	defer p.host.checks.begin(p)
	a := &p.host.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.gateway == "" { // it is read without the lock, by what ports log
		p.gateway = gateway
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	var errs []error
	for _, l := range listens {
		o, err := a.get(ctx, p, l, nil)
		if err == nil {
			err = o.want(ctx, p, l)
		}
		if err != nil {
			errs = append(errs, faultOf(l, err))
		}
	}
	return errors.Join(errs...)
}

// hold returns the port of a listen for a launch, which owes a release. While
// another address of ours is in the way it waits.
func (p *ports) hold(ctx context.Context, l config.Listen) (*holding, error) {
	for {
		h, freed, err := p.tryHold(ctx, l)
		if freed == nil {
			return h, err
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (p *ports) tryHold(ctx context.Context, l config.Listen) (*holding, <-chan struct{}, error) {
	defer p.host.checks.begin(p)
	a := &p.host.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	o, err := a.get(ctx, p, l, nil)
	if a.inOurWay(err) {
		return nil, a.awaitFreed(), faultOf(l, err)
	}
	if err == nil && !o.usedBy(p) {
		err = o.want(ctx, p, l) // it could not be had when the revision was made known
	}
	if err != nil {
		return nil, nil, faultOf(l, err)
	}
	h := &holding{port: o, listen: l}
	if l.Mode == proxied {
		if h.seat, err = o.sit(ctx, p, l); err != nil {
			return nil, nil, faultOf(l, err)
		}
	}
	o.enter(p, h.seat)
	return h, nil, nil
}

// prune gives up what no listen of wanted and no launch needs.
func (p *ports) prune(wanted []config.Listen) error {
	a := &p.host.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	var errs []error
	for _, o := range a.open {
		var sits bool
		is := func(l config.Listen) bool {
			here := a.at(ctx, p.gateway, l) == o
			sits = sits || here && l.Mode == proxied
			return here
		}
		here := slices.DeleteFunc(slices.Clone(wanted), func(l config.Listen) bool { return !is(l) })
		if len(here) == 0 && !o.heldBy(p) {
			delete(o.users, p)
		}
		if !sits {
			errs = append(errs, o.leaveSeat(p))
		}
	}
	return errors.Join(append(errs, a.tidy())...)
}

// all are those that a revision of the gateway, or a launch, listens on, and how.
func (p *ports) all() []used {
	a := &p.host.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []used
	for _, o := range a.open {
		if l, ok := o.users[p]; ok {
			all = append(all, used{o, l, o.seatOf(p)})
		}
	}
	return all
}

// used is a port as a gateway uses it.
type used struct {
	*port
	listen config.Listen
	seat   *seat // nil: its programs inherit
}

// shared says whether all launches accept from the one socket of a listen.
func (p *ports) shared(l config.Listen) bool {
	a := &p.host.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	o := a.at(ctx, p.gateway, l)
	return o != nil && l.Mode != proxied && o.Kind() == listen.Shared
}

// othersWant says whether another gateway listens on o, or is to.
func (p *ports) othersWant(o *port) bool {
	a := &p.host.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	for user := range o.users {
		if user != p {
			return true
		}
	}
	return false
}

// isUnix says whether an address or a target is a unix socket, and its path.
func isUnix(address string) (path string, ok bool) { return strings.CutPrefix(address, "unix:") }
