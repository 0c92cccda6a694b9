// Package proxy accepts connections for launches that cannot inherit a socket, and relays them.
package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"time"
)

// Options of a Proxy.
type Options struct {
	Park          time.Duration // how long a connection waits while nothing serves
	ProxyProtocol bool          // a PROXY v2 header goes before what the client sends
	Log           func(message string, err error)
}

// Dial connects to the program of a launch.
type Dial func(ctx context.Context) (net.Conn, error)

// Stats of a Proxy.
type Stats struct {
	Accepted int64 // connections so far
	InFlight int
	Parked   int   // wait while nothing serves
	Refused  int64 // were answered 503, or closed, after Park
}

// State is what another image of this process needs to go on, beside the files.
type State struct{}

// Proxy relays the connections of one listener.
type Proxy struct{}

// New begins to accept.
func New(net.Listener, Options) *Proxy { return &Proxy{} }

// Resume goes on with what Suspend has returned.
func Resume(net.Listener, Options, State, []*os.File) (*Proxy, error) {
	return nil, errors.New("not yet")
}

// Add makes launch n one that can be dialled.
func (p *Proxy) Add(int, Dial) {}

// Switch gives launch n share percent of the new connections, as supervisor.Traffic says.
func (p *Proxy) Switch(int, int) {}

// InFlight counts the connections of launch n.
func (p *Proxy) InFlight(int) int { return 0 }

// Remove forgets launch n, whose processes are gone, and returns how many connections that cut.
func (p *Proxy) Remove(int) int { return 0 }

// Dial connects through the listener, as a client does, and reaches launch n.
func (p *Proxy) Dial(context.Context, int) (net.Conn, error) { return nil, errors.New("not yet") }

// Stats tells how it does.
func (p *Proxy) Stats() Stats { return Stats{} }

// Suspend stops every relay between two bytes.
func (p *Proxy) Suspend(context.Context) (State, []*os.File, error) {
	return State{}, nil, errors.New("not yet")
}

// Continue undoes Suspend.
func (p *Proxy) Continue() {}

// Close stops accepting, and cuts what is in flight.
func (p *Proxy) Close() error { return nil }
