package launch

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/proxy"
)

// seatState is a seat.
type seatState struct {
	Slot    int         `json:"slot"`
	Serving bool        `json:"serving,omitempty"`
	Proxy   proxy.State `json:"proxy"`
	Files   int         `json:"files"` // of the proxy's connections
}

func (p *ports) suspendSeat(ctx context.Context, u used, pack Pack) (*seatState, error) {
	if u.seat == nil {
		return nil, nil //nolint:nilnil // no seat and no fault
	}
	state, files, err := u.seat.Suspend(ctx)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", u.listen.Name, err)
	}
	p.suspended = append(p.suspended, u.seat.Proxy)
	for i, file := range files {
		if err := p.pack(pack, p.connectionName(u.listen.Name, i), file); err != nil {
			return nil, err
		}
	}
	return &seatState{Slot: u.seat.slot.Index(), Serving: u.isServing(u.seat), Proxy: state, Files: len(files)}, nil
}

func (p *ports) connectionName(listen string, i int) string {
	return fmt.Sprintf("connection.%s.%s.%d", p.gateway, listen, i)
}

func (o *port) isServing(s *seat) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.serving == s
}

// restoreSeat goes on with the proxy of another image.
func (p *ports) restoreSeat(o *port, l config.Listen, state *seatState, given Given) error {
	if state == nil {
		return nil
	}
	files := make([]*os.File, state.Files)
	for i := range files {
		files[i] = given(p.connectionName(l.Name, i))
	}
	slot, err := o.Hold(state.Slot)
	if err != nil {
		return err
	}
	listener, err := slot.Listener()
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.newSeat(slot)
	options := o.proxyOptions(s, l)
	options.Held = s.shared && !state.Serving
	if s.Proxy, err = proxy.Resume(listener, options, state.Proxy, files); err != nil {
		return errors.Join(err, listener.Close())
	}
	if o.seats[p] = s; state.Serving {
		o.serving = s
	}
	if !state.Serving {
		o.sendOn(s)
	}
	return nil
}
