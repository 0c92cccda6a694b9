package supervisor

import (
	"syscall"
	"time"
)

// Policy says how a gateway is kept alive. A zero field has the default its comment names.
type Policy struct {
	StartTimeout time.Duration // from the beginning of Prepare to the first good probe; 0: 60 s
	Probe        ProbePolicy
	Restart      RestartPolicy
	Stop         StopPolicy
	CallTimeout  time.Duration // bound of each Start, Signal, Kill and Clean call; 0: 10 s
	Overlap      bool          // two launches may run side by side; false: a deploy stops the old one first
	Launches     int           // how many there may be at once, those that have ended not counted; 0: 8; at least 2
	Standby      StandbyPolicy
	Deploy       DeployPolicy
}

// StandbyPolicy says what waits to take over.
type StandbyPolicy struct {
	Mode   StandbyMode   // "": NoStandby; so it is where RestartPolicy.Mode is Never
	Check  time.Duration // warm: how long it stays frozen until it is probed again; 0: never
	MaxAge time.Duration // when it is renewed; 0: never
}

// StandbyMode says how far a standby is.
type StandbyMode string

const (
	NoStandby      StandbyMode = "none"
	CreatedStandby StandbyMode = "created" // its program has not begun
	WarmStandby    StandbyMode = "warm"    // started, probed and frozen; without Overlap it is a created one
)

// DeployPolicy says how one revision follows another.
type DeployPolicy struct {
	Drain   time.Duration // how long the old launch may finish what is in flight before it is asked to end; 0: not at all
	Confirm time.Duration // how long a new revision is provisional: a crash loop brings the old one back; 0: never
}

// ProbePolicy says when the Prober is asked. While starting, the first probe comes at once after Start, the next
// 1 ms after a failed one, then 2 ms, 4 ms, … up to Interval.
type ProbePolicy struct {
	Enabled        bool          // false: a launch is ready when it is started
	Interval       time.Duration // from one probe's answer to the next probe; 0: 1 s
	Timeout        time.Duration // of one probe; 0: 2 s
	UnhealthyAfter int           // failed probes in a row until a ready launch is restarted; 0: never
	Once           bool          // no more probes after the first good one
}

// RestartPolicy says what follows when a launch ends unasked. The first rule of On that fits comes before all else; where
// none does and Mode wants another launch, BuiltInRules come before the rest.
type RestartPolicy struct {
	On          []RestartRule
	Mode        RestartMode   // "": Always
	Delay       time.Duration // the first delay; 0: 100 ms, since a loop without any delay would burn a core
	Factor      float64       // each delay is that much longer than the one before; below 1: 2
	MaxDelay    time.Duration // the longest delay, before jitter; 0: 30 s
	Jitter      float64       // part of a delay, 0 to 1, by which it varies either way; 0: none
	ResetAfter  time.Duration // of readiness: the failures before are forgotten, the next restart is at once; 0: 10 s
	MaxFailures int           // so many launches that ended unasked within Window: failed; 0: no limit
	Window      time.Duration // for MaxFailures and for a crash loop; 0: 5 min
}

// RestartMode says which ends of a launch are followed by another launch.
type RestartMode string

const (
	Always    RestartMode = "always"     // every end
	OnFailure RestartMode = "on-failure" // every end with a cause; a success ends the gateway
	Never     RestartMode = "never"      // none: the gateway has ended
)

// StopPolicy says how a launch is asked to end.
type StopPolicy struct {
	Signal  syscall.Signal // 0: SIGTERM
	Timeout time.Duration  // from the signal to Kill; 0: Kill at once, no signal
}

// withDefaults fills the fields whose zero value stands for something else.
func (p Policy) withDefaults() Policy {
	fill(&p.StartTimeout, time.Minute)
	fill(&p.CallTimeout, 10*time.Second)
	fill(&p.Probe.Interval, time.Second)
	fill(&p.Probe.Timeout, 2*time.Second)
	fill(&p.Restart.Delay, 100*time.Millisecond)
	fill(&p.Restart.MaxDelay, 30*time.Second)
	fill(&p.Restart.ResetAfter, 10*time.Second)
	fill(&p.Restart.Window, 5*time.Minute)
	fill(&p.Launches, 8)
	p.Launches = max(p.Launches, 2)
	fill(&p.Stop.Signal, syscall.SIGTERM)
	if p.Restart.Mode == "" {
		p.Restart.Mode = Always
	}
	if p.Restart.Factor < 1 {
		p.Restart.Factor = 2
	}
	switch {
	case p.Standby.Mode == "", p.Restart.Mode == Never: // nothing would ever be taken over
		p.Standby.Mode = NoStandby
	case p.Standby.Mode == WarmStandby && !p.Overlap:
		p.Standby.Mode = CreatedStandby
	}
	return p
}

func fill[T time.Duration | syscall.Signal | int](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
