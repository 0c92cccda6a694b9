package supervisor

import (
	"errors"
	"fmt"
	"syscall"
)

// Errors a caller may test for with errors.Is. The first four are for a Launcher and a Prober to wrap, the others come from here.
var (
	// ErrPermanent: another try cannot help. The gateway is failed until Start, Restart or Deploy.
	ErrPermanent = errors.New("permanent")
	// ErrRunning: Clean, or a Prepare that failed, could not make sure that no process is left. The next launch waits.
	ErrRunning = errors.New("a process may still be running")

	// ErrOutdated: what the launch was made from is not what the next one would be. It has not failed.
	ErrOutdated = errors.New("outdated")

	// ErrUnasked: a Prober was in no state to ask, and what it says is about itself. It counts for nothing.
	ErrUnasked = errors.New("could not be asked")

	// ErrStartTimeout: StartTimeout went by without a good probe. It wraps the last probe's error.
	ErrStartTimeout = errors.New("not ready in time")
	// ErrUnhealthy: UnhealthyAfter probes in a row failed. It wraps the last one's error.
	ErrUnhealthy = errors.New("unhealthy")
	// ErrTooManyFailures: MaxFailures launches ended within Window. It wraps the last one's cause.
	ErrTooManyFailures = errors.New("too many failures")
	// ErrUnknownGateway: no gateway has this name, or it is being removed.
	ErrUnknownGateway = errors.New("unknown gateway")
	// ErrSuperseded: a later request took the place of the one that was waited for.
	ErrSuperseded = errors.New("superseded by a later request")
	// ErrUncounted: a Traffic cannot know how many connections a launch has.
	ErrUncounted = errors.New("connections cannot be counted")
	// ErrRolledBack: the revision that Deploy brought did not last, and the one before is back. It wraps the cause.
	ErrRolledBack = errors.New("rolled back")
	// ErrStopped: the gateway is stopped, so there is nothing to deploy beside.
	ErrStopped = errors.New("stopped")
	// ErrShutdown: the supervisor has been shut down and takes no gateway any more.
	ErrShutdown = errors.New("supervisor is shut down")
)

// errEndedEarly answers who waits for readiness of a launch that ended with success before it was ready.
var errEndedEarly = errors.New("ended with success before it was ready")

// ExitError is the cause of a launch whose program ended otherwise than with code 0.
type ExitError struct {
	Code   int
	Signal syscall.Signal
	OOM    bool
	Detail string
}

// Error tells code, signal and want of memory apart.
func (e *ExitError) Error() string {
	text := fmt.Sprintf("exited with code %d", e.Code)
	switch {
	case e.OOM:
		text = "killed by the kernel: out of memory"
	case e.Signal != 0:
		text = fmt.Sprintf("ended by signal %d (%v)", int(e.Signal), e.Signal)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}
