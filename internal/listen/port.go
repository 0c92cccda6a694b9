// Package listen owns the addresses that gatewayd listens on for its gateways.
package listen

import (
	"context"
	"errors"
	"net"
	"os"
)

// Kind says how the launches of a gateway share a port.
type Kind string

const (
	Slots  Kind = "slots"  // a socket for each launch, and the kernel is told which one gets new connections
	Shared Kind = "shared" // one socket for all
)

// ErrShared: the launches share one socket, so nobody can tell whose a connection is.
var ErrShared = errors.New("the launches share one socket")

var errNotYet = errors.New("not yet")

// Options of a Port.
type Options struct {
	Gateway, Name string
	Address       string // HOST:PORT, unix:/PATH or systemd:NAME
	Backlog       int
	Single        bool        // gatewayd accepts by itself: one socket is enough
	Sockets       *Sockets    // nil: none
	Keeper        Keeper      // nil: none
	Rescued       func(n int) // called with how many connections were rescued; may be nil
}

// Keeper keeps sockets beyond the end of this process: systemd's fd store.
type Keeper interface {
	Keep(name string, socket *os.File) error
	Drop(name string) error
}

// Sockets are those that systemd has handed over, by name.
type Sockets struct{ files map[string][]*os.File }

// NewSockets takes the sockets over.
func NewSockets(files map[string][]*os.File) *Sockets { return &Sockets{files} }

// Rest are the names that nobody has taken.
func (s *Sockets) Rest() []string { return nil }

// CloseRest closes what nobody has taken, and returns its names.
func (s *Sockets) CloseRest() []string { return nil }

// Port is one address.
type Port struct{}

// Open makes or takes over the sockets of an address.
func Open(context.Context, Options) (*Port, error) { return nil, errNotYet }

// Kind says whether there are slots.
func (p *Port) Kind() Kind { return Shared }

// Why says why there are no slots, and what that costs.
func (p *Port) Why() string { return "" }

// Address is what a client on this machine connects to.
func (p *Port) Address() string { return "" }

// Listener returns the socket of a Single port.
func (p *Port) Listener() (net.Listener, error) { return nil, errNotYet }

// Take gives a slot to a launch: the steered one if nobody holds it, else one that is free.
func (p *Port) Take(context.Context) (*Slot, error) { return nil, errNotYet }

// Steer gives slot share percent of the new connections.
func (p *Port) Steer(*Slot, int) error { return errNotYet }

// Mend listens again where a program has shut its slot down, and proves the order of the slots.
func (p *Port) Mend(context.Context) error { return errNotYet }

// Rescued is how many connections were rescued.
func (p *Port) Rescued() int64 { return 0 }

// Waiting is how many connections wait for the next launch.
func (p *Port) Waiting() int { return 0 }

// Close gives the address up.
func (p *Port) Close() error { return nil }

// Slot is the socket of one launch.
type Slot struct{}

// Index is the number of the slot.
func (s *Slot) Index() int { return 0 }

// File returns a copy for a program to inherit.
func (s *Slot) File() (*os.File, error) { return nil, errNotYet }

// Dial connects through the address that clients use, to this slot.
func (s *Slot) Dial(context.Context) (net.Conn, error) { return nil, errNotYet }

// InFlight counts the connections of the slot.
func (s *Slot) InFlight() (int, error) { return 0, errNotYet }

// Release gives the slot back: the processes of its launch are gone.
func (s *Slot) Release() {}
