package supervisor

import (
	"errors"
	"time"
)

// Gateway is one workload to keep alive.
type Gateway struct {
	Name       string // not empty; unique in a Supervisor
	Revision   string // passed to Prepare, otherwise opaque
	Policy     Policy
	Launcher   Launcher
	Prober     Prober  // may be nil when Policy.Probe.Enabled is false
	Traffic    Traffic // nil: no listeners of ours
	Stopped    bool    // an operator's stop holds: nothing is launched until Start
	NextLaunch int     // number of the first launch; 0: 1
	Held       *Hold   // an earlier run of the program held it: nothing is launched until Changed or a request; nil: not so. Stopped comes first
	Trial      *Trial  // Revision is provisional since an earlier run of the program; nil: it is not
	Resume     *State  // of Suspend: go on with it, by a Launcher that is an Adopter. Revision, Policy, Stopped and NextLaunch are its own
}

// Trial is what a revision that may still be rolled back must prove itself against.
type Trial struct {
	Previous string // the revision that comes back if it does not last
	Policy   Policy // of that one
	Until    time.Time
}

func (g Gateway) check() error {
	switch {
	case g.Name == "":
		return errors.New("it has no name")
	case g.Launcher == nil:
		return errors.New("it has no launcher")
	}
	if g.Resume != nil {
		return errors.Join(g.Resume.Check(), g.checkPolicy(g.Resume.Policy))
	}
	if g.Trial != nil {
		return errors.Join(g.checkPolicy(g.Trial.Policy), g.checkPolicy(g.Policy))
	}
	return g.checkPolicy(g.Policy)
}

func (g Gateway) checkPolicy(p Policy) error {
	if p.Probe.Enabled && g.Prober == nil {
		return errors.New("its policy wants probes, and it has no prober")
	}
	return p.Restart.check()
}
