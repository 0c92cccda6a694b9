package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Check finds fault with a state that no Suspend has made.
func (s *State) Check() error {
	if s.Next < 1 || s.Last < 0 || s.Last >= s.Next || s.Goal < toRun || s.Goal > toQuit || !slices.Contains(phases, s.Phase) {
		return errors.New("state of a gateway: it contradicts itself")
	}
	for i, l := range s.Launches {
		if l.N < 1 || l.N >= s.Next || i > 0 && l.N <= s.Launches[i-1].N {
			return fmt.Errorf("state of a gateway: launch %d is out of order", l.N)
		}
		if !slices.Contains(lasting, l.State) {
			return fmt.Errorf("state of a gateway: launch %d is %.20q", l.N, l.State)
		}
	}
	return errors.Join(s.checkRole(s.Current), s.checkRole(s.Standby), s.checkReady())
}

// checkRole: who has one is there, and not on its way out.
func (s *State) checkRole(n int) error {
	is := func(l savedLaunch) bool {
		return l.N == n && (l.State == created || l.State == frozen || l.State == ready)
	}
	if n == 0 || slices.ContainsFunc(s.Launches, is) && s.Current != s.Standby {
		return nil
	}
	return fmt.Errorf("state of a gateway: launch %d is not there to serve or to stand by", n)
}

// checkReady: the machine believes that a ready gateway has a launch.
func (s *State) checkReady() error {
	if s.Phase == Ready && s.Current == 0 {
		return errors.New("state of a gateway: it is ready without a launch")
	}
	return nil
}

// gapLimit bounds what the wall clock is believed: nobody takes longer from Suspend to Resume.
const gapLimit = time.Minute

// resumed is the machine where Suspend found it. The time in between counts.
func resumed(now time.Time, g Gateway, random func() float64) *machine {
	s := g.Resume
	gap := min(max(now.Sub(s.At), 0), gapLimit)
	base := now.Add(-gap)
	m := &machine{
		name: g.Name, revision: s.Revision, policy: s.Policy, random: random, steers: g.Traffic != nil,
		goal: s.Goal, phase: s.Phase, since: s.Since.from(base), deadline: s.Deadline.from(base),
		last: s.Last, next: s.Next,
		steering:    steering{serving: s.Steering.Serving, failures: s.Steering.Failures, err: s.Steering.Err.error(), at: s.Steering.At.from(base)},
		standing:    standing{s.Standing.Failures, s.Standing.Err.error(), s.Standing.At.from(base)},
		proving:     s.Proving,
		lastDrained: DrainedStatus{s.Drained.Launch, s.Drained.Cut, s.Drained.At.from(base)},
		rolledBack:  s.Back.error(), rolledBackAt: s.BackAt.from(base),
		history: history{streak: s.History.Streak, delays: s.History.Delays, tries: s.History.Tries}, restarts: s.Restarts,
		cause: s.Cause.error(), causeAt: s.CauseAt.from(base),
		settled: s.Settled, settleBy: s.SettleBy.from(base),
	}
	if t := s.Trial; t != nil {
		m.trial = &trial{t.Previous, t.Policy, t.Tested, t.Until.from(base), t.Failures}
	}
	for _, end := range s.History.Ends {
		m.history.ends = append(m.history.ends, end.from(base))
	}
	for _, saved := range s.Launches {
		m.regain(saved.launch(base), s)
	}
	return m
}

// regain gives a launch its place.
func (m *machine) regain(l *launch, s *State) {
	m.launches = append(m.launches, l)
	switch l.n {
	case s.Current:
		m.current = l
	case s.Standby:
		m.standby = l
	}
}

func (s *savedLaunch) launch(base time.Time) *launch {
	return &launch{
		n: s.N, revision: s.Revision, policy: s.Policy,
		state: s.State, since: s.Since.from(base), deadline: s.Deadline.from(base),
		began: s.Began.from(base), budget: s.Budget, startedAt: s.StartedAt.from(base), readyFor: s.ReadyFor, endedAt: s.EndedAt.from(base),
		begun: s.Begun, good: s.Good, stoodAt: s.StoodAt.from(base), tookOver: s.TookOver.from(base),
		planned: s.Planned, outdated: s.Outdated, cause: s.Cause.error(), exited: s.Exited,
		probe:      probing{at: s.Probe.At.from(base), pause: s.Probe.Pause, failed: s.Probe.Failed, err: s.Probe.Err.error()},
		count:      counting{at: s.Count.At.from(base), last: s.Count.Last, told: s.Count.Told, drained: s.Count.Drained},
		cleanTries: s.Tries, cleanErr: s.CleanErr.error(), mayRun: s.MayRun,
	}
}

// lives says whether the Exit of the launch is still to come.
func (l *launch) lives() bool { return !l.exited && !l.leaving() }
