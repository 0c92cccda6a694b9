package listen

import (
	"context"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Kind says how the launches of a gateway share a port.
type Kind string

const (
	Slots  Kind = "slots"  // a socket for each launch, and the kernel is told which one gets new connections
	Shared Kind = "shared" // one socket for all
)

// Options of a Port.
type Options struct {
	Address string // HOST:PORT, unix:/PATH or systemd:NAME
	Backlog int    // 0: 4096; the kernel's limit is net.core.somaxconn
	Sockets *Sockets
	Keeper  Keeper                      // nil: none
	State   *State                      // what an earlier image of this process had; nil: nothing
	Rescued func(n int)                 // called with how many connections were rescued; may be nil
	Log     func(msg string, err error) // what was noticed and mended; may be nil; must not call the port
}

const defaultBacklog = 4096

// Port is one address. Its methods may be called from several goroutines.
type Port struct {
	o        Options
	at       address
	kind     Kind
	why      string
	lent     string          // the socket unit's name of a socket that belongs to systemd
	ctx      context.Context // ends with the port
	end      context.CancelFunc
	relayed  sync.WaitGroup
	relaying chan struct{} // bounds the relays
	reaching chan struct{} // bounds those of them that are connecting
	mending  sync.Mutex
	rescued  atomic.Int64
	anew     atomic.Bool // launches of an earlier image have a socket that is lost: the next Mend says so
	joined   atomic.Int64
	asking   sync.Map // the cookies of what Dial has made

	mu      sync.Mutex // what follows, and that the sockets are open
	members []*member  // the slots by their number, then the control socket; or the one that is shared
	serving int        // the slot that new connections go to
	canary  int        // the slot that gets share percent of them
	share   int
	aims    map[netip.AddrPort]*aimed // connections of ours on their way, by their source
	freed   chan struct{}             // closed when a slot is given back
	closed  bool
	shut    bool // a program has shut a socket down, which was told
}

func newPort(o Options, at address, kind Kind, members []*member) *Port {
	if o.Log == nil {
		o.Log = func(string, error) {}
	}
	p := &Port{
		o: o, at: at, kind: kind, members: members,
		aims: map[netip.AddrPort]*aimed{}, freed: make(chan struct{}),
		relaying: make(chan struct{}, maxRelays), reaching: make(chan struct{}, maxReaching),
	}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// Open makes or takes over the sockets of an address. A *TakenError says that somebody else has it.
func Open(ctx context.Context, o Options) (*Port, error) {
	if o.Backlog <= 0 {
		o.Backlog = defaultBacklog
	}
	if name, ok := strings.CutPrefix(o.Address, "systemd:"); ok {
		return openInherited(o, name)
	}
	at, err := resolve(ctx, o.Address)
	if err != nil {
		return nil, err
	}
	if at.path != "" {
		return openOne(o, at, "a unix socket has no slots: "+cost)
	}
	return openSlots(ctx, o, at)
}

// Kind says whether there are slots.
func (p *Port) Kind() Kind { return p.kind }

// Why says why there are no slots, and what that costs.
func (p *Port) Why() string { return p.why }

// Address is what a client on this machine connects to: HOST:PORT, or unix:/PATH. For a
// wildcard it is the loopback address.
func (p *Port) Address() string { return p.at.dial() }

// Rescued is how many connections were rescued.
func (p *Port) Rescued() int64 { return p.rescued.Load() }

// Relaying is how many rescued connections are relayed now.
func (p *Port) Relaying() int { return int(p.joined.Load()) }

// Waiting is how many connections wait in the socket that new ones go to.
func (p *Port) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0
	}
	return queued(p.members[p.serving].fd)
}

// file returns a copy of m's socket. Nothing here ever turns O_NONBLOCK off: it belongs
// to the open file, which the programs of a gateway share.
func (p *Port) file(m *member) (*os.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, os.ErrClosed
	}
	return duplicate(m.fd, p.at.key(m.name))
}

// Close gives the address up: nobody listens on it any more, a program that has a copy
// of a socket included, and the Keeper drops it. What was being relayed is cut.
func (p *Port) Close() error { return p.close(true) }

// Leave lets go of the port without giving it up: the sockets stay in the Keeper, and with
// the programs that have a copy. For the end of this process.
func (p *Port) Leave() { _ = p.close(false) }

func (p *Port) close(giveUp bool) error {
	p.end()
	p.mu.Lock()
	already := p.closed
	p.closed = true
	p.mu.Unlock()
	if already {
		return nil
	}
	p.stopRescues()
	p.relayed.Wait()
	var err error
	if giveUp {
		err = p.giveUp()
	}
	for _, m := range p.members {
		m.close()
	}
	return err
}

// slotName is the name of slot n in the fd store, behind the address.
func slotName(n int) string { return strconv.Itoa(n) }
