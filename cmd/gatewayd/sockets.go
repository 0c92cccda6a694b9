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

// dropSockets lets go of what systemd has handed over and no gateway has taken:
// a client that connects there would wait for nobody.
func (d *daemon) dropSockets() {
	for _, name := range d.host.Sockets.CloseRest() {
		d.log.Warn("systemd has handed over "+name+", which no gateway listens on: it is closed", event("socket-dropped"), zap.Error(d.notifier.Unstore(name)))
	}
}
