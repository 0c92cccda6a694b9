package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/held"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// A gateway is held until something that its launches are made from changes. It
// is looked at again and again by a goroutine that sleeps while nobody is held,
// and written down: the next gatewayd holds the gateway, too.

const (
	holdLook  = 10 * time.Second
	holdShare = 100 // bounds what looking costs: a hundredth of one processor
)

// holding are the holds of all gateways.
type holding struct {
	store   held.Store
	look    chan struct{} // soon, please
	looking sync.Mutex    // one look at a time

	mu    sync.Mutex
	known map[string]known
}

// known is what a hold waits for, or that it is over: what ends it was asked for.
type known struct {
	held.Hold
	over bool
	kept bool  // it is written down
	lost error // why it could not be
}

func newHolding(store held.Store) *holding {
	return &holding{store: store, look: make(chan struct{}, 1), known: make(map[string]known)}
}

// soon has the holds looked at.
func (h *holding) soon() {
	select {
	case h.look <- struct{}{}:
	default: // it will be anyway
	}
}

// of returns what is known of the hold that began at since.
func (h *holding) of(name string, since time.Time) (known, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k, ok := h.known[name]
	if !ok || !k.Since.Equal(since) {
		return known{}, false // it is an earlier one
	}
	return k, true
}

// keep notes a hold and writes it down, unless it is over meanwhile. What could
// not be written is tried again with each look, and told once.
func (h *holding) keep(name string, hold held.Hold) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.known[name]
	if !k.Since.Equal(hold.Since) {
		k = known{Hold: hold}
	}
	if k.over || k.kept {
		return nil
	}
	err, told := h.store.Write(name, hold), k.lost != nil
	k.kept, k.lost = err == nil, err
	h.known[name] = k
	if told {
		return nil
	}
	return err
}

// end forgets a hold before it ends: a gatewayd that is killed the next moment is
// not followed by one that holds the gateway again.
func (h *holding) end(name string, since time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known[name] = known{Hold: held.Hold{Since: since}, over: true}
	return h.store.Remove(name)
}

// drop forgets what is known of a gateway that is not held.
func (h *holding) drop(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	k, ok := h.known[name]
	delete(h.known, name)
	if !ok || k.over {
		return nil
	}
	return h.store.Remove(name)
}

// keepHolds looks at the gateways that are held until ctx ends.
func (d *daemon) keepHolds(ctx context.Context) {
	for {
		began := time.Now()
		var next <-chan time.Time
		if d.lookAtHolds(ctx) {
			next = time.After(max(holdLook, holdShare*time.Since(began)))
		}
		select {
		case <-ctx.Done():
			return
		case <-d.holding.look:
		case <-next:
		}
	}
}

// lookAtHolds tells whether anybody is held.
func (d *daemon) lookAtHolds(ctx context.Context) (held bool) {
	for _, s := range d.supervisor.Status() {
		if s.Phase == supervisor.Held {
			held = true
			d.lookAtHold(ctx, s, false)
		} else {
			d.tellLost(s.Name, d.holding.drop(s.Name))
		}
	}
	return held
}

// writeHolds has each hold written down before a reexec: the next image would take
// what it finds for what the last launch was made from.
func (d *daemon) writeHolds(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	d.lookAtHolds(ctx)
}

// lookAtHold releases a gateway when it finds that something has changed. whole:
// it looks at secrets, too, which nobody else has to do while gatewayd runs.
func (d *daemon) lookAtHold(ctx context.Context, s supervisor.Status, whole bool) {
	d.holding.looking.Lock()
	defer d.holding.looking.Unlock()
	entry, ok := d.gateways.get(s.Name)
	k, begun := d.holding.of(s.Name, s.Since)
	if !ok || k.over {
		return
	}
	if !begun {
		k.Hold, begun = d.holding.store.Read(s.Name)
		begun, whole = begun && k.Since.Equal(s.Since), true
	}
	now, changed := d.print(ctx, entry, s, whole)
	switch {
	case ctx.Err() != nil:
		return
	case begun && changed == "":
		changed = differs(k.Print, now, whole)
	}
	if changed != "" {
		d.changed(s.Name, changed)
		return
	}
	if !begun {
		k.Hold = held.Hold{Since: s.Since, Cause: d.redact.String(text(s.Cause)), Print: now}
	}
	d.tellLost(s.Name, d.holding.keep(s.Name, k.Hold))
}

// differs names what has changed.
func differs(was, is held.Print, whole bool) string {
	switch {
	case was.Config != is.Config:
		return "configuration"
	case is.Source != "" && was.Source != is.Source:
		return "source"
	case whole && was.Values != is.Values:
		return "environment or a secret"
	}
	return ""
}

// changed lets a gateway go that is held, since what its launches are made from
// is something else now.
func (d *daemon) changed(name, what string) {
	d.endHold(name)
	d.supervisor.Changed(name, what)
}

// endHold comes before whatever ends a hold.
func (d *daemon) endHold(name string) {
	s, ok := d.state(name)
	if ok && s.Phase == supervisor.Held {
		d.tellLost(name, d.holding.end(name, s.Since))
	}
}

func (d *daemon) tellLost(name string, err error) {
	if err != nil {
		d.log.Warn("whether "+name+" is held is not written down; the next gatewayd may not know it",
			event("hold-lost"), zap.String("gateway", name), zap.Error(err))
	}
}

// heldBefore is the hold that an earlier gatewayd has left, while g is what it
// was then; nil: none. Its source and its secrets are looked at by and by.
func (d *daemon) heldBefore(g config.Gateway) *supervisor.Hold {
	h, ok := d.holding.store.Read(g.Name)
	if !ok || h.Print.Config != g.Revision() {
		d.tellLost(g.Name, d.holding.store.Remove(g.Name))
		return nil
	}
	hold := &supervisor.Hold{Since: h.Since}
	if h.Cause != "" {
		hold.Cause = errors.New(h.Cause)
	}
	return hold
}

// keepOnly forgets the holds of gateways that are configured no more.
func (d *daemon) keepOnly(c *config.Config) {
	var names []string
	for _, g := range c.Gateways {
		names = append(names, g.Name)
	}
	d.tellLost("a gateway of before", d.holding.store.Keep(names...))
}
