package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/internal/proxy"
)

// portState is a port.
type portState struct {
	Listen config.Listen `json:"listen"`
	Port   listen.State  `json:"port"`
	Proxy  *proxy.State  `json:"proxy,omitempty"`
	Files  int           `json:"files,omitempty"` // of the proxy's connections
}

// heldState is what a launch has of a port.
type heldState struct {
	Slot   int          `json:"slot"` // -1: it is behind the proxy
	Target *targetState `json:"target,omitempty"`
	Behind bool         `json:"behind,omitempty"` // the proxy may connect
}

func (la *launch) heldStates() []heldState {
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

// suspend stops the proxies between two bytes, and packs copies of all sockets.
func (p *ports) suspend(ctx context.Context, pack Pack) ([]portState, error) {
	p.looking.Lock()
	p.paused = true
	var states []portState
	for _, o := range p.all() {
		s := portState{Listen: p.newest(o), Port: o.State()}
		sockets, err := o.Files()
		if err != nil {
			return nil, err
		}
		for name, files := range sockets {
			for i, file := range files {
				if err := p.pack(pack, socketName(name, i), file); err != nil {
					return nil, err
				}
			}
		}
		if err := p.suspendProxy(ctx, o, &s, pack); err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, nil
}

func (p *ports) suspendProxy(ctx context.Context, o *port, s *portState, pack Pack) error {
	if o.proxy == nil {
		return nil
	}
	state, files, err := o.proxy.Suspend(ctx)
	if err != nil {
		return fmt.Errorf("listen %s: %w", o.listen.Name, err)
	}
	p.suspended = append(p.suspended, o.proxy)
	s.Proxy, s.Files = &state, len(files)
	for i, file := range files {
		if err := p.pack(pack, p.connectionName(o.listen.Name, i), file); err != nil {
			return err
		}
	}
	return nil
}

func (p *ports) connectionName(listen string, i int) string {
	return fmt.Sprintf("connection.%s.%s.%d", p.gateway, listen, i)
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
	_ = p.copies.close() // nobody uses them
	p.suspended, p.copies = nil, nil
	if p.paused {
		p.paused = false
		p.looking.Unlock()
	}
}

// restore opens the ports of another image anew, with their sockets, which lie in
// the Host's Sockets, and their connections. It goes on after an error.
func (p *ports) restore(ctx context.Context, gateway string, states []portState, given Given) error {
	defer p.host.checks.begin(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gateway = gateway
	var errs []error
	for _, s := range states {
		if err := p.restorePort(ctx, s, given); err != nil {
			errs = append(errs, fmt.Errorf("listen %s on %s: %w", s.Listen.Name, s.Listen.Address, err))
		}
	}
	return errors.Join(errs...)
}

func (p *ports) restorePort(ctx context.Context, s portState, given Given) error {
	o := p.options(s.Listen)
	o.State = &s.Port
	opened, err := listen.Open(ctx, o)
	if err != nil {
		return err
	}
	made := &port{Port: opened, listen: s.Listen, newest: s.Listen}
	if s.Proxy != nil {
		if made.proxy, err = p.restoreProxy(opened, s, given); err != nil {
			return errors.Join(err, opened.Close())
		}
	}
	p.open = append(p.open, made)
	return nil
}

func (p *ports) restoreProxy(opened *listen.Port, s portState, given Given) (*proxy.Proxy, error) {
	files := make([]*os.File, s.Files)
	for i := range files {
		files[i] = given(p.connectionName(s.Listen.Name, i))
	}
	listener, err := opened.Listener()
	if err != nil {
		return nil, err
	}
	return proxy.Resume(listener, p.proxyOptions(s.Listen), *s.Proxy, files)
}
