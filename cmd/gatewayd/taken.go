package main

import (
	"errors"
	"time"

	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// takenRetry is how long a gateway waits whose address somebody else has. To ask
// again costs next to nothing, and whoever has it may be on its way out.
const takenRetry = 10 * time.Second

// awaitAddress gives a gateway another try that failed for want of its address.
// It is failed until then: who starts gatewayd is told at once, and by name, who
// has it.
func (d *daemon) awaitAddress(e supervisor.Event) {
	var taken *listen.TakenError
	if e.Kind != supervisor.GatewayFailed || !errors.As(e.Cause, &taken) {
		return
	}
	time.AfterFunc(takenRetry, func() {
		if s, ok := d.state(e.Gateway); !ok || s.Phase != supervisor.Failed || !errors.As(s.Cause, &taken) {
			return // somebody has done something about it
		}
		_ = d.supervisor.Start(d.signals.context(), e.Gateway) // what comes of it is told by its events
	})
}
