package supervisor

import "time"

// Deployment is a new revision of a gateway on its way.
type Deployment struct {
	Revision  string
	Policy    Policy
	Canary    int           // percent of new connections that it gets first; 0: none
	CanaryFor time.Duration // how long
	Until     DeployUntil   // when Deploy returns
	Why       string        // for the events: "command", "reload", "rollback"
}

// DeployUntil says when Deploy returns.
type DeployUntil int

const (
	Taken    DeployUntil = iota // the gateway has it, and goes about it
	Switched                    // the new revision serves
	Proved                      // and three probes since were good
)
