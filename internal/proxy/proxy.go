// Package proxy accepts connections for programs that cannot inherit a listener, and
// relays them, byte by byte, to the launch that has the traffic.
//
// # Which launch
//
// [Proxy.Add] says how a launch is dialled, [Proxy.Switch] which one gets the new
// connections, and what share of them a second one (a canary). A connection belongs
// to a launch from the moment it is chosen, before it is dialled: once Switch has
// returned, [Proxy.InFlight] of the launch before can only fall. [Proxy.Dial] is a
// client like all others, but for its source address, by which the accepting side
// knows it: it reaches the launch that is asked for, or fails.
//
// # Parking
//
// While no launch serves, or the one that should cannot be dialled, connections wait
// for [Options].Park. They go on as soon as Switch or Add names a launch that can be
// dialled. Of those that wait for a program to come, one alone knocks, ever more
// slowly up to every 10 ms, and wakes the others. Whoever hangs up while it waits is
// forgotten, so its request is never executed. TCP does not tell a client that has
// gone from one that has sent all it wants to (shutdown), and those that give up are
// many: a FIN that comes while parked counts as gone, one that was there before does
// not. On a unix socket the two differ, and only who has gone is forgotten. After Park, a client whose first bytes are an HTTP/1 request
// is answered 503 with Retry-After; any other is closed.
//
// # Rescue
//
// A connection whose backend ends before any byte has gone through in either
// direction goes to the next launch, or parks: nobody can tell the difference, for
// nothing has happened yet. Bytes of the client that were read but not written move
// with it; a PROXY header is ours, and is made anew. Bytes that the kernel has taken
// are not replayed, although it knows of some that the program never read them: a
// unix socket says ECONNRESET when *some* of them were unread at the end, not that
// all were, its SIOCOUTQ is zero after the end in either case, and TCP's acknowledgement
// is the kernel's. What cannot be proved unread may have been executed. To a launch
// that ends them again and again (it is full, or refuses the client) a connection goes
// three times at most.
//
// # Ends
//
// Each direction ends for itself (half-close). When a launch's program has ended, what
// it had written is still delivered: the kernel holds it, and an end of stream behind
// it. A reset of the client resets the backend (TCP; a unix socket knows no reset), so
// that nobody takes half an upload for a whole one; when the backend resets, the
// client gets what was sent before, and then an end of stream: a reset would destroy
// that. When a TCP backend has ended its direction, and the client sends nothing for a
// minute but does not close either, the connection is closed: the kernel does the same
// (tcp_fin_timeout). Where the backend has closed both (a unix socket tells), at once.
//
// # Bounds
//
// A connection costs two descriptors, and two goroutines with small stacks: there is
// no buffer until there are bytes (32 KiB then, from a pool). A client that does not
// read holds one of them. At [Options].Max connections, parked ones included, no more
// are accepted; they wait in the kernel's queue until one ends. Errors of accept (no
// descriptors, no memory) are tried again, ever more slowly up to every second. On TCP
// both sides have TCP_NODELAY, and keepalive after 15 s of silence with 9 probes 15 s
// apart (Go's default): who vanishes without a word is found after 150 s.
//
// # Another image of this process
//
// [Proxy.Suspend] stops every relay between two bytes and describes it; [Resume] goes
// on in another image of the process, [Proxy.Continue] in this one.
package proxy

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Options of a Proxy.
type Options struct {
	Park          time.Duration // how long a connection waits while nothing serves
	ProxyProtocol bool          // a PROXY v2 header goes before what the client sends
	Max           int           // connections at a time; 0: a fifth of RLIMIT_NOFILE, which leaves Suspend its copies
	Held          bool          // it begins as after Hold(true)
	Connect       Connect       // for Dial, where another may get what is sent to the address; nil: nobody else does
	Log           func(message string, err error)
	Debug         func(message string, err error) // what is no news: a program that does not listen yet
}

// Connect makes the connection of a Proxy's Dial. It tells the source before it connects;
// forget is called when the connection has been accepted.
type Connect func(ctx context.Context, tell func(source netip.AddrPort)) (c net.Conn, forget func(), err error)

// Dial connects to the program of a launch, and gives up when ctx ends. The connection
// is a *net.TCPConn or a *net.UnixConn.
type Dial func(ctx context.Context) (net.Conn, error)

// Stats of a Proxy.
type Stats struct {
	Accepted int64 // connections so far
	InFlight int   // connections now, parked ones included
	Max      int   // of them; the next ones wait in the kernel's queue
	Parked   int   // wait while nothing serves
	Refused  int64 // were answered 503, or closed, after Park
	Rescued  int64 // went on to another launch, or another process of the same
}

// Proxy relays the connections of one listener. Its methods are safe for use by
// several goroutines, and quick but for Dial, Suspend and Close.
type Proxy struct {
	listener listener
	options  Options
	buffers  sync.Pool     // of *buffer
	room     chan struct{} // holds one when a connection has ended since somebody looked

	abandoned time.Duration // the constant, but in tests

	mu         sync.Mutex
	life       life
	held       bool          // accepts none, see Hold
	accepting  chan struct{} // closed when accept has returned
	toldFull   time.Time     // accept's: when it was last said that there is no room
	stop       chan struct{} // closed: the accept loop ends
	goroutines int           // that run
	calm       chan struct{} // closed when none does; nil: nobody asks
	conns      map[*conn]struct{}
	parked     map[*conn]struct{}
	changes    int // of what a parked connection waits for
	launches   map[int]*launch
	serving    int
	canary     int
	share      int // of the canary, in percent
	steered    map[string]*steering
	accepted   int64
	refused    int64
	rescued    int64
	park       time.Duration // as of Options, or of SetPark since
}

// listener is what *net.TCPListener and *net.UnixListener have.
type listener interface {
	net.Listener
	SetDeadline(time.Time) error
}

// stream is what *net.TCPConn and *net.UnixConn have.
type stream interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// past is a deadline that ends a call at once. What it has done by then counts.
var past = time.Unix(1, 0)

// New begins to accept from l, a *net.TCPListener or *net.UnixListener, which belongs
// to the Proxy from now on. Connections park until Add and Switch.
func New(l net.Listener, o Options) *Proxy {
	p := build(l, o)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start()
	return p
}

func build(l net.Listener, o Options) *Proxy {
	if o.Max <= 0 {
		o.Max = defaultMax()
	}
	if o.Log == nil {
		o.Log = func(string, error) {}
	}
	if o.Debug == nil {
		o.Debug = func(string, error) {}
	}
	return &Proxy{
		listener: l.(listener),
		options:  o,
		held:     o.Held,
		park:     o.Park,
		buffers:  sync.Pool{New: func() any { return new(buffer) }},
		room:     make(chan struct{}, 1),

		abandoned: abandoned,

		conns:    map[*conn]struct{}{},
		parked:   map[*conn]struct{}{},
		launches: map[int]*launch{},
		steered:  map[string]*steering{},
	}
}

// Stats tells how it does.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Accepted: p.accepted,
		InFlight: len(p.conns),
		Max:      p.options.Max,
		Parked:   len(p.parked),
		Refused:  p.refused,
		Rescued:  p.rescued,
	}
}
