package main

import (
	"context"
	"fmt"
	"time"
)

const relayedTime = time.Second // for rescued connections to end

// awaitRemoved waits for what reloads have removed, and no other one removes any
// meanwhile. The next image would know nothing of it: it would kill the launch, and
// leave the sockets with systemd for ever.
func (d *daemon) awaitRemoved(ctx context.Context) error {
	for _, entry := range d.gateways.leaving() {
		select {
		case <-entry.gone:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s, which a reload has removed, to be gone: %w: try again then", entry.file.Name, ctx.Err())
		}
	}
	return nil
}

// awaitRelayed gives the few connections some time to end that were rescued from a
// launch that has died: this image relays them, and the next one cannot go on.
func (d *daemon) awaitRelayed(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, relayedTime)
	defer cancel()
	look := time.NewTicker(relayedTime / 50)
	defer look.Stop()
	for d.relayed() > 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			d.log.Warn(fmt.Sprintf("%s that were rescued from launches that have ended are cut", count(d.relayed(), "connection")), event("reexec-started"))
			return
		}
	}
}

func (d *daemon) relayed() int {
	n := 0
	for _, entry := range d.gateways.all() {
		n += entry.launcher.Relaying()
	}
	return n
}
