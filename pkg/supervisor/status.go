package supervisor

import (
	"slices"
	"time"
)

// Phase is what a gateway is doing.
type Phase string

const (
	Stopped      Phase = "stopped"       // as asked, until Start
	Starting     Phase = "starting"      // a launch is on its way to its first good probe, or waits for an old one's processes to be gone
	Ready        Phase = "ready"         // the first probe was good, and not too many since were bad
	Backoff      Phase = "backoff"       // waits until Status.Next, then launches again
	CrashLooping Phase = "crash-looping" // a backoff after three failures in Window with no ResetAfter of readiness between
	Stopping     Phase = "stopping"      // a launch is on its way out, to stop or to be followed by another
	Held         Phase = "held"          // waits for a change of what launches are made from: until Changed, Start, Restart or Deploy
	Failed       Phase = "failed"        // given up, Status.Cause says why; until Start, Restart or Deploy
	Ended        Phase = "ended"         // ended by itself, and its policy wants no other launch
)

var phases = []Phase{Stopped, Starting, Ready, Backoff, CrashLooping, Stopping, Held, Failed, Ended}

// Phases lists all phases there are.
func Phases() []Phase { return slices.Clone(phases) }

// Status is a snapshot of one gateway.
type Status struct {
	Name     string
	Revision string
	Phase    Phase
	Since    time.Time // when the phase began
	Launch   int       // number of the current launch, else of the last one; 0: none yet
	Restarts int       // launches that followed an end nobody asked for
	Failures int       // ends nobody asked for since the last ResetAfter of readiness, or since the last request

	Cause         error     // of the last launch that ended (nil: success, or as asked); of Failed: why it was given up
	CauseAt       time.Time // zero: none ended yet
	Next          time.Time // when a backoff ends; zero otherwise
	StartDeadline time.Time // of the launch being started; zero otherwise
	ProbeError    error     // the last probe of the current launch, if it failed
	Settled       bool      // has been ready, held, failed, ended or stopped once, or has used up its first StartTimeout
	Leftovers     []error   // what Clean could not remove, one for each launch
	Steering      error     // what Traffic.Switch last came to; it is tried again

	Standby   *StandbyStatus // nil: none is wanted
	Deploying *DeployStatus  // nil: no deploy is under way
	Draining  []DrainStatus  // launches that get no new connections, and finish what they have
	Drained   DrainedStatus  // the last launch that was let go

	Provisional  time.Time // until when Revision may be rolled back; zero: it is confirmed, or was not ready yet
	Previous     string    // the revision that would come back; "": none
	RolledBack   error     // why the last deploy was rolled back; nil: it was not
	RolledBackAt time.Time
}

// StandbyStatus is what waits to take over.
type StandbyStatus struct {
	Launch int       // 0: none at the moment
	State  string    // preparing, created, starting, checking, frozen, …; absent
	Since  time.Time // of State
	Err    error     // why the last one was lost; nil once one is there
	Next   time.Time // when it is checked or renewed, or the next one is made; zero: not at a set time
}

// DeployStatus is a deploy whose new launch does not serve yet.
type DeployStatus struct {
	Launch   int    // 0: waits for a place
	Revision string // the new one
	Stage    DeployStage
	Canary   int       // percent of new connections that it has
	Until    time.Time // when the stage ends at the latest; zero: not at a set time
}

func (d *DeployStatus) words() string {
	return "deploying revision " + d.Revision + ", " + string(d.Stage)
}

// DeployStage says how far a deploy is.
type DeployStage string

const (
	DeployWaiting   DeployStage = "waiting" // for a place, or for a process of an earlier launch to be gone
	DeployPreparing DeployStage = "preparing"
	DeployStarting  DeployStage = "starting"
	DeployInCanary  DeployStage = "canary"
)

// DrainStatus is a launch that finishes what it has.
type DrainStatus struct {
	Launch   int
	InFlight int       // -1: not known
	Asked    bool      // to end: its drain is over
	Until    time.Time // when it is asked to end in any case, or killed when it has been asked
}

// DrainedStatus is a launch that has ended after its drain.
type DrainedStatus struct {
	Launch int       // 0: none yet
	Cut    int       // connections that it had when it ended; -1: not known
	At     time.Time // when it ended
}

// snapshot is a Status and the moment from which on its failures are history: a ready gateway has no reason to
// wake up then.
type snapshot struct {
	Status
	forgetAt time.Time
}

func (s snapshot) at(now time.Time) Status {
	if !s.forgetAt.IsZero() && !now.Before(s.forgetAt) {
		s.Failures = 0
	}
	s.onClock(now)
	return s.Status
}

// differs compares what can change without an event. A good probe of a ready gateway changes nothing, and shall
// wake nobody.
func (s *snapshot) differs(o *snapshot) bool {
	return s.Settled != o.Settled || s.Revision != o.Revision || text(s.ProbeError) != text(o.ProbeError) ||
		text(s.Steering) != text(o.Steering)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// snapshot tells the machine's state to the outside.
func (m *machine) snapshot() *snapshot {
	s := &snapshot{Status: Status{
		Name: m.name, Revision: m.revision, Phase: m.phase, Since: m.since,
		Restarts: m.restarts, Failures: m.history.streak,
		Cause: m.cause, CauseAt: m.causeAt, Next: m.deadline,
		Settled: m.settled, Leftovers: m.leftovers(), Launch: m.last,
		Steering: m.steering.err,
		Standby:  m.standbyStatus(), Deploying: m.deployStatus(), Draining: m.drainStatus(), Drained: m.lastDrained,
		RolledBack: m.rolledBack, RolledBackAt: m.rolledBackAt,
	}}
	if m.trial != nil {
		s.Provisional, s.Previous = m.trial.until, m.trial.previous
	}
	if l := m.current; l != nil {
		s.ProbeError = l.probe.err
		if l.state == preparing || l.state == starting {
			s.StartDeadline = l.deadline
		}
		if l.state == ready {
			s.forgetAt = l.since.Add(m.policy.Restart.ResetAfter)
		}
	}
	return s
}

func (m *machine) standbyStatus() *StandbyStatus {
	if m.policy.Standby.Mode == NoStandby {
		return nil
	}
	s := &StandbyStatus{State: "absent", Err: m.standing.err, Next: m.standing.at}
	if l := m.standby; l != nil {
		s.Launch, s.State, s.Since, s.Next = l.n, string(l.state), l.since, l.deadline
		if l.state == ready {
			s.State = "checking"
		}
	}
	return s
}

func (m *machine) deployStatus() *DeployStatus {
	d, l := m.doing, m.candidate
	if d == nil {
		return nil
	}
	s := &DeployStatus{Revision: d.Revision, Stage: d.stage, Until: d.deadline}
	if !d.beside {
		s.Stage, l = DeployWaiting, m.current // the one before, as long as it is on its way out
		if l != nil && !l.coming() {
			l = nil
		}
	}
	if l == nil {
		return s
	}
	s.Launch = l.n
	switch l.state {
	case preparing:
		s.Stage, s.Until = DeployPreparing, l.deadline
	case created, starting:
		s.Stage, s.Until = DeployStarting, l.deadline
	case ready:
		s.Canary = d.Canary
	}
	return s
}

func (m *machine) drainStatus() []DrainStatus {
	var list []DrainStatus
	for _, l := range m.launches {
		if l.count.drained && !l.leaving() {
			list = append(list, DrainStatus{Launch: l.n, InFlight: l.count.last, Asked: l.state != draining, Until: l.deadline})
		}
	}
	return list
}
