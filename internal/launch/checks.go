package launch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
)

// checkEvery is how often ports are looked at though nothing has happened to them
// that gatewayd would know of: somebody removes the path of a unix socket, or joins
// the group of a port.
const checkEvery = 30 * time.Second

// checks looks at the ports of all gateways, by one timer, and none while there are
// no ports.
type checks struct {
	every time.Duration // 0: checkEvery

	mu   sync.Mutex
	due  map[*ports]struct{} // those with ports, at the next round
	soon bool                // there is one
}

// begin has the ports of a gateway looked at from now on.
func (c *checks) begin(p *ports) {
	if len(p.all()) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.due == nil {
		c.due = make(map[*ports]struct{})
	}
	c.due[p] = struct{}{}
	if !c.soon {
		c.soon = true
		time.AfterFunc(cmp.Or(c.every, checkEvery), c.round)
	}
}

func (c *checks) round() {
	c.mu.Lock()
	due := c.due
	c.due, c.soon = nil, false
	c.mu.Unlock()
	for p := range due {
		for _, o := range p.all() {
			_ = p.look(o.port, (*listen.Port).Check) // it is noted
		}
		c.begin(p) // if it has any still
	}
}

// look has a port examined, notes what is wrong with it and returns it. While another
// image of this process may be taking over it waits.
func (p *ports) look(o *port, how func(*listen.Port, context.Context) error) error {
	p.looking.RLock()
	defer p.looking.RUnlock()
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	err := how(o.Port, ctx)
	switch {
	case errors.Is(err, os.ErrClosed): // it was given up
		return nil
	case errors.Is(err, listen.ErrRenewed):
		err = p.renewed(o, err)
	}
	p.noteTrouble(o, err)
	return err
}

// reach says why no client would reach a launch by a listen that is open: a path is
// not told when somebody replaces it. One that was removed is made anew.
func (p *ports) reach(ctx context.Context, l config.Listen) error {
	a := &p.host.addresses
	a.mu.Lock()
	o := a.at(ctx, p.gateway, l)
	a.mu.Unlock()
	if o == nil || o.Kind() != listen.Shared {
		return nil // a port that somebody else listens on, too, is reached by some
	}
	if err := p.look(o, (*listen.Port).Check); err != nil {
		return faultOf(l, err)
	}
	return nil
}

// mend repairs, beside all else, what a program may have done to its slot. One
// that waits for its turn looks at everything that happened before.
func (p *ports) mend(o *port) {
	if o.mending.Add(1) > 2 {
		o.mending.Add(-1)
		return
	}
	go func() {
		defer o.mending.Add(-1)
		_ = p.look(o, (*listen.Port).Mend) // it is noted
	}()
}

// noteTrouble tells of trouble once, and when it is over.
func (p *ports) noteTrouble(o *port, err error) {
	now, before := "", ""
	if err != nil {
		now = err.Error()
	}
	if last := o.trouble.Swap(&now); last != nil {
		before = *last
	}
	name, fields := o.fields("listen-trouble")
	fields = append(fields, zap.Error(err))
	switch {
	case now == before:
	case err != nil:
		p.host.log().Warn(name+": connections may not arrive where they should", fields...)
	default:
		p.host.log().Info(name+" is in order again", fields...)
	}
}

// renewed: clients come by a new socket. A proxy goes on with it; a program that has
// inherited the old one has to end, for the next launch to have the new one.
func (p *ports) renewed(o *port, cause error) error {
	a := &p.host.addresses
	a.mu.Lock()
	users := slices.Collect(maps.Keys(o.users))
	a.mu.Unlock()
	for _, user := range users {
		user.outdate(o, cause)
	}
	return o.relisten()
}

// outdate ends the launches that have a socket of o that clients do not reach any
// more, and not those that take the new one from now on.
func (l *Launcher) outdate(o *port, cause error) {
	holders := l.holdersOf(o)
	for _, la := range holders {
		la.fault.Store(&cause)
	}
	go endAll(holders)
}

// endAll ends first those whose program does not run yet: they must not take over.
func endAll(launches []*launch) {
	var running []*launch
	for _, la := range launches {
		if started, err := la.endUnstarted(); started || err != nil {
			running = append(running, la)
		}
	}
	for _, la := range running {
		go la.endRunning()
	}
}

func (l *Launcher) holdersOf(o *port) (holders []*launch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, la := range l.launches {
		for _, h := range la.holdings() {
			if h.port == o && h.seat == nil {
				holders = append(holders, la)
			}
		}
	}
	return holders
}

// endUnstarted returns when it has ended.
func (la *launch) endUnstarted() (started bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	if err := la.take(ctx); err != nil {
		return false, err
	}
	defer la.give()
	if la.started || la.ended == nil {
		return la.started, nil
	}
	if err := la.kill(ctx); err != nil {
		return false, err
	}
	return false, la.awaitEnd(ctx, openTime)
}

// endRunning asks a program to end, and ends it when its time is over. What goes
// wrong is left to the supervisor, whose probes find a gateway that does not work.
func (la *launch) endRunning() {
	stop := la.gateway.Stop
	ctx, cancel := context.WithTimeout(context.Background(), stop.Timeout+2*openTime)
	defer cancel()
	err := la.inTurn(ctx, func() error { return la.signal(ctx, stop.Signal) })
	if err != nil || la.awaitEnd(ctx, stop.Timeout) != nil {
		_ = la.inTurn(ctx, func() error { return la.kill(ctx) })
	}
}

func (la *launch) inTurn(ctx context.Context, do func() error) error {
	if err := la.take(ctx); err != nil {
		return err
	}
	defer la.give()
	return do()
}

func (la *launch) awaitEnd(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-la.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
