package launch

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Switch gives launch n share percent of the new connections of all its ports, in
// the order of the configuration. It goes on after an error. A launch that is
// gone has none anyway.
func (l *Launcher) Switch(n, share int) error {
	la := l.find(n)
	if la == nil && share == 0 {
		return nil
	}
	if la == nil {
		return fmt.Errorf("steer connections to launch %d: it is gone", n)
	}
	var errs []error
	for _, h := range la.holdings() {
		if err := h.steer(n, share); err != nil {
			errs = append(errs, fmt.Errorf("steer connections of listen %s to launch %d: %w", h.listen.Name, n, err))
		}
	}
	return errors.Join(errs...)
}

// InFlight counts the connections that launch n has on all its ports, accepted
// or waiting for it. The error is supervisor.ErrUncounted where one of them
// cannot tell, or where there is none. A launch without any is not drained, which is
// an error, too, while new ones come to it because another gateway is to have its
// address and does not serve there yet.
func (l *Launcher) InFlight(_ context.Context, n int) (int, error) {
	la := l.find(n)
	if la == nil {
		return 0, nil
	}
	if len(la.gateway.Listen) == 0 {
		return 0, fmt.Errorf("count connections of launch %d: %w: it has no listen", n, supervisor.ErrUncounted)
	}
	total := 0
	for _, h := range la.holdings() {
		count, err := h.inFlight(n)
		if err != nil {
			return 0, fmt.Errorf("count connections of listen %s: %w", h.listen.Name, err)
		}
		total += count
	}
	if name := la.awaited(); total == 0 && name != "" {
		return 0, fmt.Errorf("count connections of listen %s: they come to launch %d until another gateway serves there", name, n)
	}
	return total, nil
}

// awaited names a listen that the launch serves until another gateway does; "": none.
func (la *launch) awaited() string {
	for _, h := range la.holdings() {
		if h.serves(la.n) && la.ports.othersWant(h.port) {
			return h.listen.Name
		}
	}
	return ""
}

// Shared names a listen of g from whose one socket all launches accept; "": there is
// none. Beside those that g itself says this of, it is one for which the kernel
// gives no slots.
func (l *Launcher) Shared(g config.Gateway) string {
	for _, wanted := range g.Listen {
		if wanted.Shared() || l != nil && l.ports.shared(wanted) {
			return wanted.Name
		}
	}
	return ""
}

// ListenInfo is what status tells of a port.
type ListenInfo struct {
	Name, Address, Mode string
	Kind                listen.Kind
	Why                 string // why there are no slots, and what that costs
	Trouble             string // what the last look at it has found wrong

	Slot     int   // of the launch; -1: none
	InFlight int   // connections of the launch, or of the port; -1: unknown
	Waiting  int   // for a launch that serves, or in the queue of the one that does
	Rescued  int64 // from the queues of launches that ended
	Accepted int64 // by the proxy so far
	Limit    int   // of the connections of a proxy at a time; the next ones wait in the kernel; 0: none of ours
	Refused  int64 // by the proxy, since nothing served for too long
}

// Listens tells of all ports of the gateway, whether a launch has them or not.
func (l *Launcher) Listens() []ListenInfo {
	var infos []ListenInfo
	for _, p := range l.ports.all() {
		infos = append(infos, p.info())
	}
	return infos
}

func (u used) info() ListenInfo {
	i := ListenInfo{
		Name: u.listen.Name, Address: u.listen.Address, Mode: u.listen.Mode,
		Kind: u.Kind(), Why: u.Why(), Slot: -1, InFlight: -1, Waiting: u.Waiting(), Rescued: u.Rescued(),
	}
	if trouble := u.trouble.Load(); trouble != nil {
		i.Trouble = *trouble
	}
	if u.seat != nil && u.listen.Mode == proxied {
		stats := u.seat.Stats()
		i.Why, i.InFlight, i.Limit, i.Waiting = "", stats.InFlight, stats.Max, stats.Parked+u.Waiting()
		i.Accepted, i.Refused, i.Rescued = stats.Accepted, stats.Refused, stats.Rescued
	}
	return i
}

// listens tells of the ports that the launch holds.
func (la *launch) listens() []ListenInfo {
	var infos []ListenInfo
	for _, h := range la.holdings() {
		i := used{h.port, h.listen, h.seat}.info()
		if h.slot != nil {
			i.Slot = h.slot.Index()
		}
		i.InFlight = -1
		if count, err := h.inFlight(la.n); err == nil {
			i.InFlight = count
		}
		infos = append(infos, i)
	}
	return infos
}
