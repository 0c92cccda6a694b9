package launch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
)

// port is an address that gatewayd listens on: from before the first launch that
// has it to after the last.
type port struct {
	*listen.Port
	host    *Host
	key     string
	users   map[*ports]config.Listen // the gateways that listen here, as their newest revisions say; with the lock of addresses
	name    atomic.Pointer[portName] // for the log
	mending atomic.Int32             // under way, or waiting for their turn
	trouble atomic.Pointer[string]
	packed  atomic.Bool // for another image of this process

	mu      sync.Mutex
	held    map[*ports]int   // launches that have a part of it
	seats   map[*ports]*seat // of the gateways with launches behind a proxy
	serving *seat            // that new connections go to; nil: to a slot that a program has
}

// portName is what a port is called by whoever was the last to want it.
type portName struct{ gateway, listen, address string }

func newPort(p *ports, key string, l config.Listen) *port {
	o := &port{host: p.host, key: key, users: make(map[*ports]config.Listen), held: make(map[*ports]int), seats: make(map[*ports]*seat)}
	o.call(p, l)
	return o
}

// call has the port know what it is called.
func (o *port) call(p *ports, l config.Listen) {
	o.name.Store(&portName{p.gateway, l.Name, l.Address})
}

func (o *port) options(l config.Listen, state *listen.State) listen.Options {
	return listen.Options{
		Address: l.Address, Backlog: l.Backlog, Sockets: o.host.Sockets, Keeper: o.host.Keeper, State: state,
		Rescued: o.tellRescued(), Log: o.tell("steering"),
	}
}

// want has the port be what the newest revision of a gateway says.
func (o *port) want(ctx context.Context, p *ports, l config.Listen) error {
	o.users[p] = l
	o.call(p, l)
	err := o.SetBacklog(l.Backlog)
	if l.Mode == proxied {
		s, seatErr := o.sit(ctx, p, l)
		if err = errors.Join(err, seatErr); s != nil {
			s.SetPark(l.Park)
		}
	}
	return err
}

// usedBy says whether the gateway listens here.
func (o *port) usedBy(p *ports) bool {
	_, used := o.users[p]
	return used
}

// close gives the address up: new connections are refused.
func (o *port) close() error {
	errs := []error{o.closeSeats(), o.Close()}
	if err := errors.Join(errs...); err != nil {
		n := o.name.Load()
		return fmt.Errorf("close listen %s on %s: %w", n.listen, n.address, err)
	}
	return nil
}

func (o *port) fields(event string) (text string, fields []zap.Field) {
	n := o.name.Load()
	return n.gateway + " listen " + n.listen,
		[]zap.Field{zap.String("event", event), zap.String("gateway", n.gateway), zap.String("listen", n.listen), zap.String("address", n.address)}
}

// tell logs what happens to a port by itself.
func (o *port) tell(event string) func(string, error) {
	return func(message string, err error) {
		text, fields := o.fields(event)
		o.host.log().Warn(text+": "+message, append(fields, zap.Error(err))...)
	}
}

// note is tell for what is no news.
func (o *port) note(event string) func(string, error) {
	return func(message string, err error) {
		text, fields := o.fields(event)
		o.host.log().Debug(text+": "+message, append(fields, zap.Error(err))...)
	}
}
