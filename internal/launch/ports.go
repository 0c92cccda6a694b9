package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/internal/proxy"
)

// openTime bounds the opening and the mending of a port, which waits for nobody
// but the kernel.
const openTime = 5 * time.Second

// proxied is the mode of a listen on which gatewayd accepts.
const proxied = "proxy"

// port is an address that gatewayd listens on for a gateway: from before its
// first launch to after its last.
type port struct {
	*listen.Port
	listen  config.Listen // of whoever was first: of others, name, address and mode are the same
	newest  config.Listen // of the newest revision, with the lock of ports
	proxy   *proxy.Proxy  // nil: the programs inherit its sockets
	holders atomic.Int32  // launches that have a part of it
	mending atomic.Int32  // under way, or waiting for their turn
	trouble atomic.Pointer[string]
}

// ports are those of one gateway.
type ports struct {
	host    *Host
	outdate func(o *port, cause error) // launches have a socket of o that clients do not reach any more
	looking sync.RWMutex               // held for reading by who looks at a port, for writing while suspended

	mu      sync.Mutex
	gateway string
	open    []*port

	paused    bool           // looking is held
	suspended []*proxy.Proxy // until resume
	copies    copies
}

// place is what makes a listen of one revision that of another, too.
func place(l config.Listen) config.Listen {
	return config.Listen{Name: l.Name, Address: l.Address, Mode: l.Mode}
}

// openAll opens what a revision listens on and nobody has opened yet. It goes on
// after an error.
func (p *ports) openAll(gateway string, listens []config.Listen) error {
	defer p.host.checks.begin(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gateway == "" { // it is read without the lock, by what ports log
		p.gateway = gateway
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	var errs []error
	for _, l := range listens {
		opened, err := p.get(ctx, l)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		opened.newest = l
		if opened.proxy != nil {
			opened.proxy.SetPark(l.Park)
		}
	}
	return errors.Join(errs...)
}

// hold returns the port of a listen for a launch, which owes a release.
func (p *ports) hold(ctx context.Context, l config.Listen) (*port, error) {
	defer p.host.checks.begin(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	held, err := p.get(ctx, l)
	if err != nil {
		return nil, err
	}
	held.holders.Add(1)
	return held, nil
}

func (p *ports) get(ctx context.Context, l config.Listen) (*port, error) {
	if other := p.at(l); other != nil {
		return other, nil
	}
	if err := p.makeRoom(l); err != nil {
		return nil, err
	}
	opened, err := p.make(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("listen %s on %s: %w", l.Name, l.Address, err)
	}
	p.open = append(p.open, opened)
	return opened, nil
}

// at is the port of a listen; nil: it is not open.
func (p *ports) at(l config.Listen) *port {
	for _, other := range p.open {
		if place(other.listen) == place(l) {
			return other
		}
	}
	return nil
}

func (p *ports) newest(o *port) config.Listen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return o.newest
}

// makeRoom closes what another revision has at the same address in another way,
// when no launch needs it any more.
func (p *ports) makeRoom(l config.Listen) error {
	for i, other := range p.open {
		if other.listen.Address != l.Address {
			continue
		}
		if other.holders.Load() > 0 {
			return fmt.Errorf("listen %s on %s: a launch still has it as listen %s in mode %s: stop the gateway first",
				l.Name, l.Address, other.listen.Name, other.listen.Mode)
		}
		p.open = slices.Delete(p.open, i, i+1)
		return other.close()
	}
	return nil
}

func (p *ports) make(ctx context.Context, l config.Listen) (*port, error) {
	made := &port{listen: l, newest: l}
	opened, err := listen.Open(ctx, p.options(l))
	if err != nil {
		return nil, err
	}
	made.Port = opened
	if l.Mode != proxied {
		return made, nil
	}
	listener, err := opened.Listener()
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	made.proxy = proxy.New(listener, p.proxyOptions(l))
	return made, nil
}

func (p *ports) options(l config.Listen) listen.Options {
	return listen.Options{
		Gateway: p.gateway, Name: l.Name, Address: l.Address, Backlog: l.Backlog, Single: l.Mode == proxied,
		Sockets: p.host.Sockets, Keeper: p.host.Keeper, Rescued: p.tellRescued(l), Log: p.tell("steering", l),
	}
}

func (p *ports) proxyOptions(l config.Listen) proxy.Options {
	return proxy.Options{Park: l.Park, ProxyProtocol: l.ProxyProtocol, Log: p.tell("proxy", l), Debug: p.note("proxy", l)}
}

func (p *ports) fields(event string, l config.Listen) []zap.Field {
	return []zap.Field{zap.String("event", event), zap.String("gateway", p.gateway), zap.String("listen", l.Name), zap.String("address", l.Address)}
}

// tell logs what happens to a port by itself.
func (p *ports) tell(event string, l config.Listen) func(string, error) {
	return func(message string, err error) {
		p.host.log().Warn(fmt.Sprintf("%s listen %s: %s", p.gateway, l.Name, message), append(p.fields(event, l), zap.Error(err))...)
	}
}

// note is tell for what is no news.
func (p *ports) note(event string, l config.Listen) func(string, error) {
	return func(message string, err error) {
		p.host.log().Debug(fmt.Sprintf("%s listen %s: %s", p.gateway, l.Name, message), append(p.fields(event, l), zap.Error(err))...)
	}
}

// prune closes what no listen of wanted and no launch needs.
func (p *ports) prune(wanted []config.Listen) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	p.open = slices.DeleteFunc(p.open, func(o *port) bool {
		same := func(l config.Listen) bool { return place(l) == place(o.listen) }
		if o.holders.Load() > 0 || slices.ContainsFunc(wanted, same) {
			return false
		}
		errs = append(errs, o.close())
		return true
	})
	return errors.Join(errs...)
}

func (p *ports) all() []*port {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.open)
}

// close gives the address up: new connections are refused.
func (p *port) close() error {
	var errs []error
	if p.proxy != nil {
		errs = append(errs, p.proxy.Close())
	}
	if err := errors.Join(append(errs, p.Close())...); err != nil {
		return fmt.Errorf("close listen %s on %s: %w", p.listen.Name, p.listen.Address, err)
	}
	return nil
}

// isUnix says whether an address or a target is a unix socket, and its path.
func isUnix(address string) (path string, ok bool) { return strings.CutPrefix(address, "unix:") }
