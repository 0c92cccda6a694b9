package launch

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
)

// portState is a port as one gateway has it.
type portState struct {
	Listen config.Listen `json:"listen"`
	Port   listen.State  `json:"port"`
	Seat   *seatState    `json:"seat,omitempty"`
}

// heldState is what a launch has of a port.
type heldState struct {
	Slot   int          `json:"slot"` // -1: it is behind the proxy
	Target *targetState `json:"target,omitempty"`
	Behind bool         `json:"behind,omitempty"` // the proxy may connect
}

// heldStates are none where the launch has given all back. What it has just been about
// to give back would be held by nobody in the next image, and so for ever.
func (la *launch) heldStates() []heldState {
	la.adding.Lock()
	defer la.adding.Unlock()
	var states []heldState
	for _, h := range la.holdings() {
		if h.slot != nil {
			states = append(states, heldState{Slot: h.slot.Index()})
			continue
		}
		states = append(states, heldState{Slot: -1, Target: &targetStates([]target{h.target})[0], Behind: la.behind})
	}
	return states
}

// socketName is what a listening socket is packed by: the name that it has in
// systemd's store, and a number, since a socket unit may have several of a name.
func socketName(name string, i int) string { return socketPrefix + strconv.Itoa(i) + "." + name }

const socketPrefix = "socket."

// SocketName tells whether what was packed by a name is a listening socket, for
// the Host's Sockets, and by which name it belongs there.
func SocketName(packed string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(packed, socketPrefix)
	if !ok {
		return "", false
	}
	_, name, ok = strings.Cut(rest, ".")
	return name, ok
}

// PackLent packs the sockets of socket units that no gateway has, until release.
func (h *Host) PackLent(pack Pack) (release func(), err error) {
	p := ports{host: h}
	files, err := h.Sockets.Files()
	if err == nil {
		err = p.packFiles(files, pack)
	}
	return p.resume, err
}

// suspend stops the proxies between two bytes, and packs copies of all sockets.
func (p *ports) suspend(ctx context.Context, pack Pack) ([]portState, error) {
	p.looking.Lock()
	p.paused = true
	var states []portState
	for _, u := range p.all() {
		if err := p.packSockets(u.port, pack); err != nil {
			return nil, err
		}
		s := portState{Listen: u.listen, Port: u.State()}
		var err error
		if s.Seat, err = p.suspendSeat(ctx, u, pack); err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, nil
}

// packSockets packs those of a port once, however many gateways have it.
func (p *ports) packSockets(o *port, pack Pack) error {
	if o.packed.Swap(true) {
		return nil
	}
	p.packed = append(p.packed, o)
	sockets, err := o.Files()
	if err != nil {
		return err
	}
	return p.packFiles(sockets, pack)
}

func (p *ports) packFiles(sockets map[string][]*os.File, pack Pack) error {
	for name, files := range sockets {
		for i, file := range files {
			if err := p.pack(pack, socketName(name, i), file); err != nil {
				return err
			}
		}
	}
	return nil
}

// pack takes along a copy, which is closed by resume.
func (p *ports) pack(pack Pack, name string, file *os.File) error {
	p.copies = append(p.copies, file)
	return pack(name, file)
}

// resume undoes suspend.
func (p *ports) resume() {
	for _, o := range p.suspended {
		o.Continue()
	}
	for _, o := range p.packed {
		o.packed.Store(false)
	}
	_ = p.copies.close() // nobody uses them
	p.suspended, p.packed, p.copies = nil, nil, nil
	if p.paused {
		p.paused = false
		p.looking.Unlock()
	}
}

// restore opens the ports of another image anew, with their sockets, which lie in
// the Host's Sockets, and their connections. It goes on after an error.
func (p *ports) restore(ctx context.Context, gateway string, states []portState, given Given) error {
	defer p.host.checks.begin(p)
	a := &p.host.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	p.gateway = gateway
	var errs []error
	for _, s := range states {
		if err := p.restorePort(ctx, s, given); err != nil {
			errs = append(errs, faultOf(s.Listen, err))
		}
	}
	return errors.Join(errs...)
}

func (p *ports) restorePort(ctx context.Context, s portState, given Given) error {
	o, err := p.host.addresses.get(ctx, p, s.Listen, &s.Port)
	if err != nil {
		return err
	}
	o.users[p] = s.Listen
	return p.restoreSeat(o, s.Listen, s.Seat, given)
}
