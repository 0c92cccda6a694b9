package launch

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/internal/proxy"
)

// seat is a proxy at a port: it has a slot, as a program has that inherits one. So
// launches behind it and launches that inherit are side by side, and those of two
// gateways.
type seat struct {
	*proxy.Proxy
	slot    *listen.Slot
	shared  bool // with programs that accept from the same socket
	holders int  // launches behind it
}

// elsewhere stands for whoever gets the connections that a proxy has accepted for
// launches of which none serves any more.
const elsewhere = -1

// sit returns the seat of a gateway at the port.
func (o *port) sit(ctx context.Context, p *ports, l config.Listen) (*seat, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.seats[p]; s != nil {
		s.Hold(s.shared && o.serving != s)
		return s, nil
	}
	slot, err := o.Take(ctx)
	if err != nil {
		return nil, err
	}
	s := o.newSeat(slot)
	listener, err := slot.Listener()
	if err != nil {
		slot.Release()
		return nil, err
	}
	options := o.proxyOptions(s, l)
	// From a socket that a program accepts from, too, it does when its turn has come.
	options.Held = s.shared && len(o.held) > 0
	s.Proxy = proxy.New(listener, options)
	if !options.Held && (s.shared || o.Steered() == slot.Index()) {
		o.serving = s
	}
	o.seats[p] = s
	return s, nil
}

func (o *port) newSeat(slot *listen.Slot) *seat {
	return &seat{slot: slot, shared: o.Kind() == listen.Shared}
}

func (o *port) proxyOptions(s *seat, l config.Listen) proxy.Options {
	options := proxy.Options{Park: l.Park, Log: o.tell("proxy"), Debug: o.note("proxy")}
	if !s.shared {
		options.Connect = s.slot.DialFrom
	}
	return options
}

// enter counts a launch that has a part of the port, behind a proxy or (nil) not.
func (o *port) enter(p *ports, s *seat) { o.count(p, s, 1) }

// leave undoes enter.
func (o *port) leave(p *ports, s *seat) { o.count(p, s, -1) }

func (o *port) count(p *ports, s *seat, launches int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held[p] += launches; o.held[p] == 0 {
		delete(o.held, p)
	}
	if s != nil {
		s.holders += launches
	}
}

// heldBy says whether a launch of the gateway, or (nil) of any, has a part of it.
func (o *port) heldBy(p *ports) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held[p] > 0 || p == nil && len(o.held) > 0
}

// steer gives launch n, behind the proxy of s or (nil) with its slot, share percent
// of the new connections. Who was accepted by another proxy and has reached no
// program yet goes there, too.
func (o *port) steer(s *seat, slot *listen.Slot, n, share int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case s == nil:
	case share == 100 || o.serving == s:
		s.Switch(n, share)
	case share > 0:
		s.Switch(n, 100) // of what comes to the seat
	default:
		o.sendOn(s)
	}
	if share < 100 {
		if s != nil && o.serving == s {
			return nil
		}
		return o.Steer(slot, share)
	}
	for _, other := range o.seats {
		if other != s {
			other.Hold(other.shared)
		}
	}
	err := o.Steer(slot, 100)
	if o.serving = s; s != nil {
		s.Hold(false)
	}
	for _, other := range o.seats {
		if other != s {
			o.sendOn(other)
		}
	}
	return err
}

// sendOn has a proxy send what it has accepted where new connections go.
func (o *port) sendOn(s *seat) {
	s.Add(elsewhere, o.dialFront)
	s.Switch(elsewhere, 100)
}

// dialFront is a client.
func (o *port) dialFront(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	d.SetMultipathTCP(false)
	if path, ok := isUnix(o.Address()); ok {
		return d.DialContext(ctx, "unix", path)
	}
	return d.DialContext(ctx, "tcp", o.Address())
}

// leaveSeat closes the proxy of a gateway that has no use for it, unless somebody
// is on the way through it.
func (o *port) leaveSeat(p *ports) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.seats[p]
	if s == nil || s.holders > 0 {
		return nil
	}
	s.Hold(true)
	if s.Stats().InFlight > 0 {
		return nil
	}
	delete(o.seats, p)
	if o.serving == s {
		o.serving = nil
	}
	defer s.slot.Release()
	return s.Close()
}

// relisten has the proxies accept from a new socket of the port.
func (o *port) relisten() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.seats {
		l, err := s.slot.Listener()
		if err != nil {
			return fmt.Errorf("accept from the new socket: %w", err)
		}
		s.Relisten(l)
	}
	return nil
}

func (o *port) closeSeats() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for _, s := range o.seats {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// proxyAccepts says whether a client of the port can reach the proxy: one that is to
// accept from the socket of a program waits for its turn.
func (o *port) proxyAccepts(s *seat) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !s.shared || o.serving == s
}

// servedBy says whether new connections go to the proxy.
func (o *port) servedBy(s *seat) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.serving == s
}

// seatOf is the proxy of a gateway here; nil: it has none.
func (o *port) seatOf(p *ports) *seat {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seats[p]
}
