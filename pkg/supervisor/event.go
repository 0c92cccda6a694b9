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

	Revision string // of a deploy, or of what became of it
	Why      string // Deployment.Why, of DeployStarted; what has changed, of GatewayReleased
	Count    int    // connections, where the kind says so; -1: nobody can know
}

// EventKind is the stable name of a kind of event: journals and scripts know it.
type EventKind string

const (
	LaunchPreparing     EventKind = "launch-preparing"
	LaunchCreated       EventKind = "launch-created"   // After: Prepare
	LaunchStarted       EventKind = "launch-started"   // After: Start
	LaunchReady         EventKind = "launch-ready"     // After: from the beginning of Prepare, or of the take-over
	LaunchUnhealthy     EventKind = "launch-unhealthy" // Cause wraps ErrUnhealthy; After: readiness
	LaunchStopping      EventKind = "launch-stopping"  // asked to end: the context of Prepare cancelled, the signal sent, or killed where none would be taken
	LaunchKilling       EventKind = "launch-killing"   // Cause: what the Kill or Signal before came to
	LaunchEnded         EventKind = "launch-ended"     // Cause: why; After: from the beginning of Prepare; Count: connections that were cut, of one that had drained
	LaunchCleaned       EventKind = "launch-cleaned"   // After: from its end
	CleanIncomplete     EventKind = "clean-incomplete" // Cause: what is left; Next: when Clean comes again
	GatewayBackoff      EventKind = "gateway-backoff"  // Cause, Next
	GatewayCrashLooping EventKind = "gateway-crash-looping"
	GatewayFailed       EventKind = "gateway-failed"   // Cause: why it was given up
	GatewayHeld         EventKind = "gateway-held"     // Cause: what it ended with
	GatewayReleased     EventKind = "gateway-released" // launched again; Why: what has changed
	GatewayEnded        EventKind = "gateway-ended"
	GatewayStopped      EventKind = "gateway-stopped" // Cause: what is left of its launches

	StandbyReady    EventKind = "standby-ready"    // a launch waits to take over; After: from the beginning of Prepare
	StandbyLost     EventKind = "standby-lost"     // Cause; nil: it was no longer wanted, or had its age; Next: when there is another
	TookOver        EventKind = "took-over"        // the standby serves; After: since it is known that the one before does not
	DeployStarted   EventKind = "deploy-started"   // Revision, Why
	DeployCanary    EventKind = "deploy-canary"    // the new launch gets Count percent; Next: until when
	DeploySwitched  EventKind = "deploy-switched"  // the new launch serves; After: from deploy-started; Next: until when it is provisional
	DeployFailed    EventKind = "deploy-failed"    // Cause; the revision before goes on
	DeployProved    EventKind = "deploy-proved"    // three probes after the switch were good
	DeployConfirmed EventKind = "deploy-confirmed" // Revision is no longer provisional
	RolledBack      EventKind = "rolled-back"      // Revision is back, for the Cause
	LaunchDraining  EventKind = "launch-draining"  // Count: connections it has yet; Next: when it is asked to end in any case
	LaunchDrained   EventKind = "launch-drained"   // Count: what is left; Cause: why it could not be counted; After: the drain
	SteeringFailed  EventKind = "steering-failed"  // Cause; tried again at Next
)

// eventKinds lists every kind in the order of a launch's life.
var eventKinds = []EventKind{
	LaunchPreparing, LaunchCreated, LaunchStarted, LaunchReady, LaunchUnhealthy, LaunchStopping, LaunchKilling,
	LaunchEnded, LaunchCleaned, CleanIncomplete,
	GatewayBackoff, GatewayCrashLooping, GatewayFailed, GatewayHeld, GatewayReleased, GatewayEnded, GatewayStopped,
	StandbyReady, StandbyLost, TookOver,
	DeployStarted, DeployCanary, DeploySwitched, DeployFailed, DeployProved, DeployConfirmed, RolledBack,
	LaunchDraining, LaunchDrained, SteeringFailed,
}

// EventKinds lists all kinds there are.
func EventKinds() []EventKind { return slices.Clone(eventKinds) }
