package supervisor

import (
	"slices"
	"time"
)

// Event is something that happened to a gateway or to one of its launches.
type Event struct {
	Time    time.Time
	Gateway string
	Kind    EventKind
	Launch  int           // 0: of the gateway as a whole, none launched yet
	Cause   error         // why; nil: none, or as asked
	Next    time.Time     // when it will be tried again; zero: not at a set time
	After   time.Duration // how long it took, where it has a length
}

// EventKind is the stable name of a kind of event: journals and scripts know it.
type EventKind string

const (
	LaunchPreparing     EventKind = "launch-preparing"
	LaunchCreated       EventKind = "launch-created"   // After: Prepare
	LaunchStarted       EventKind = "launch-started"   // After: Start
	LaunchReady         EventKind = "launch-ready"     // After: from the beginning of Prepare
	LaunchUnhealthy     EventKind = "launch-unhealthy" // Cause wraps ErrUnhealthy; After: readiness
	LaunchStopping      EventKind = "launch-stopping"  // asked to end: the context of Prepare cancelled, or the signal sent
	LaunchKilling       EventKind = "launch-killing"   // Cause: what the Kill or Signal before came to
	LaunchEnded         EventKind = "launch-ended"     // Cause: why; After: from the beginning of Prepare
	LaunchCleaned       EventKind = "launch-cleaned"   // After: from its end
	CleanIncomplete     EventKind = "clean-incomplete" // Cause: what is left; Next: when Clean comes again
	GatewayBackoff      EventKind = "gateway-backoff"  // Cause, Next
	GatewayCrashLooping EventKind = "gateway-crash-looping"
	GatewayFailed       EventKind = "gateway-failed" // Cause: why it was given up
	GatewayEnded        EventKind = "gateway-ended"
	GatewayStopped      EventKind = "gateway-stopped" // Cause: what is left of its launches
)

// eventKinds lists every kind in the order of a launch's life.
var eventKinds = []EventKind{
	LaunchPreparing, LaunchCreated, LaunchStarted, LaunchReady, LaunchUnhealthy, LaunchStopping, LaunchKilling,
	LaunchEnded, LaunchCleaned, CleanIncomplete,
	GatewayBackoff, GatewayCrashLooping, GatewayFailed, GatewayEnded, GatewayStopped,
}

// EventKinds lists all kinds there are.
func EventKinds() []EventKind { return slices.Clone(eventKinds) }
