package main

import (
	"os"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/systemd"
)

// store is systemd's, as a listen.Keeper.
type store struct{ notifier systemd.Notifier }

func (s store) Keep(name string, socket *os.File) error { return s.notifier.Store(name, socket) }
func (s store) Drop(name string) error                  { return s.notifier.Unstore(name) }

// dropSockets lets go of what was kept and no gateway has taken: a client that
// connects there would wait for nobody. What socket units lend stays, for a gateway
// that a reload brings: systemd goes on listening anyway.
func (d *daemon) dropSockets() {
	for _, name := range d.host.Sockets.CloseRest() {
		d.log.Warn("systemd has kept "+name+", which no gateway listens on: it is closed", event("socket-dropped"), zap.Error(d.notifier.Unstore(name)))
	}
	for _, name := range d.host.Sockets.Lent() {
		d.log.Warn("a socket unit has handed over "+name+", which no gateway listens on: clients wait there until one has address = \"systemd:"+name+"\"", event("socket-unused"))
	}
}
