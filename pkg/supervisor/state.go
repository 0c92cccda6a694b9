package supervisor

import (
	"fmt"
	"slices"
	"time"
)

// State is a gateway as Suspend finds it, for Gateway.Resume of another image of this program. It is JSON, and for
// nobody else to read. Moments are kept as what is left until them, so that a clock that is set meanwhile moves none.
type State struct {
	At       time.Time     `json:"at"`
	Revision string        `json:"revision"`
	Policy   Policy        `json:"policy"`
	Goal     goal          `json:"goal"`
	Phase    Phase         `json:"phase"`
	Since    moment        `json:"since"`
	Deadline moment        `json:"deadline,omitzero"`
	Launches []savedLaunch `json:"launches,omitempty"`
	Current  int           `json:"current,omitempty"` // 0: none
	Standby  int           `json:"standby,omitempty"`
	Last     int           `json:"last"`
	Next     int           `json:"next"`
	Steering savedSteering `json:"steering,omitzero"`
	Standing savedTry      `json:"standing,omitzero"`
	Trial    *savedTrial   `json:"trial,omitempty"`
	Proving  bool          `json:"proving,omitempty"`
	Drained  savedDrained  `json:"drained,omitzero"`
	Back     *savedError   `json:"rolled_back,omitempty"`
	BackAt   moment        `json:"rolled_back_at,omitzero"`
	History  savedHistory  `json:"history,omitzero"`
	Restarts int           `json:"restarts,omitempty"`
	Cause    *savedError   `json:"cause,omitempty"`
	CauseAt  moment        `json:"cause_at,omitzero"`
	Settled  bool          `json:"settled,omitempty"`
	SettleBy moment        `json:"settle_by,omitzero"`
}

type (
	savedLaunch struct {
		N         int           `json:"n"`
		Revision  string        `json:"revision"`
		Policy    Policy        `json:"policy"`
		State     state         `json:"state"`
		Since     moment        `json:"since"`
		Deadline  moment        `json:"deadline,omitzero"`
		Began     moment        `json:"began"`
		Budget    time.Duration `json:"budget,omitempty"`
		StartedAt moment        `json:"started_at,omitzero"`
		ReadyFor  time.Duration `json:"ready_for,omitempty"`
		EndedAt   moment        `json:"ended_at,omitzero"`
		Begun     bool          `json:"begun,omitempty"`
		Good      int           `json:"good,omitempty"`
		StoodAt   moment        `json:"stood_at,omitzero"`
		TookOver  moment        `json:"took_over,omitzero"`
		Planned   bool          `json:"planned,omitempty"`
		Outdated  bool          `json:"outdated,omitempty"`
		Cause     *savedError   `json:"cause,omitempty"`
		Exited    bool          `json:"exited,omitempty"`
		Probe     savedProbing  `json:"probe,omitzero"`
		Count     savedCounting `json:"count,omitzero"`
		Tries     int           `json:"clean_tries,omitempty"`
		CleanErr  *savedError   `json:"clean_error,omitempty"`
		MayRun    bool          `json:"may_run,omitempty"`
	}
	savedProbing struct {
		At     moment        `json:"at,omitzero"`
		Pause  time.Duration `json:"pause,omitempty"`
		Failed int           `json:"failed,omitempty"`
		Err    *savedError   `json:"error,omitempty"`
	}
	savedCounting struct {
		At      moment `json:"at,omitzero"`
		Last    int    `json:"last"`
		Told    bool   `json:"told,omitempty"`
		Drained bool   `json:"drained"`
	}
	savedSteering struct {
		Serving int `json:"serving"`
		savedTry
	}
	savedTry struct {
		Failures int         `json:"failures,omitempty"`
		Err      *savedError `json:"error,omitempty"`
		At       moment      `json:"again_at,omitzero"`
	}
	savedTrial struct {
		Previous string `json:"previous"`
		Policy   Policy `json:"policy"`
		Tested   bool   `json:"tested"`
		Until    moment `json:"until,omitzero"`
		Failures int    `json:"failures"`
	}
	savedDrained struct {
		Launch int    `json:"launch"`
		Cut    int    `json:"cut"`
		At     moment `json:"at"`
	}
	savedHistory struct {
		Streak int      `json:"streak"`
		Delays int      `json:"delays"`
		Tries  []int    `json:"tries,omitempty"`
		Ends   []moment `json:"ends"`
	}
)

// moment is how far a time is away from State.At. Unset stands for no time.
type moment struct {
	Away time.Duration `json:"away"`
	Set  bool          `json:"set"`
}

func away(now, t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{t.Sub(now), true}
}

func (m moment) from(base time.Time) time.Time {
	if !m.Set {
		return time.Time{}
	}
	return base.Add(m.Away)
}

// busy says what keeps the gateway from being handed over: a deploy, a call that is out, or a launch on its way from
// one state to another. Empty: nothing.
func (m *machine) busy() string {
	if m.doing != nil {
		return m.deployStatus().words()
	}
	for _, l := range m.launches {
		if !l.calm() {
			return fmt.Sprintf("%s launch %d", l.busy(), l.n)
		}
	}
	return ""
}

// canaryUntil is when the canary ends that is under way, unless it fails before; zero: there is none. Nothing else
// that keeps a gateway busy is known to last.
func (m *machine) canaryUntil() time.Time {
	if m.doing == nil || m.doing.stage != DeployInCanary {
		return time.Time{}
	}
	return m.doing.deadline
}

// calm says whether the launch may stay as it is, and no answer is owed.
func (l *launch) calm() bool {
	return slices.Contains(lasting, l.state) && !l.probe.asked && !l.count.out && !l.cleanOwed && !l.prepareOwed
}

// busy says what is done with a launch that is not calm.
func (l *launch) busy() string {
	switch {
	case l.probe.asked && l.state == ready:
		return "probing"
	case l.count.out && l.state == draining:
		return "counting the connections of"
	case l.cleanOwed:
		return string(cleaning)
	}
	return string(l.state)
}

// lasting are the states in which calm can find a launch.
var lasting = []state{created, frozen, ready, draining, leftover}

// save copies what the machine knows. It is not busy.
func (m *machine) save(now time.Time) State {
	s := State{
		At: now, Revision: m.revision, Policy: m.policy,
		Goal: m.goal, Phase: m.phase, Since: away(now, m.since), Deadline: away(now, m.deadline),
		Current: m.current.number(), Standby: m.standby.number(), Last: m.last, Next: m.next,
		Steering: savedSteering{m.steering.serving, savedTry{m.steering.failures, saveError(m.steering.err), away(now, m.steering.at)}},
		Standing: savedTry{m.standing.failures, saveError(m.standing.err), away(now, m.standing.at)},
		Proving:  m.proving,
		Drained:  savedDrained{m.lastDrained.Launch, m.lastDrained.Cut, away(now, m.lastDrained.At)},
		Back:     saveError(m.rolledBack), BackAt: away(now, m.rolledBackAt),
		History: savedHistory{Streak: m.history.streak, Delays: m.history.delays, Tries: m.history.tries}, Restarts: m.restarts,
		Cause: saveError(m.cause), CauseAt: away(now, m.causeAt),
		Settled: m.settled, SettleBy: away(now, m.settleBy),
	}
	for _, end := range m.history.ends {
		s.History.Ends = append(s.History.Ends, away(now, end))
	}
	for _, l := range m.launches {
		s.Launches = append(s.Launches, l.save(now))
	}
	if t := m.trial; t != nil {
		s.Trial = &savedTrial{t.previous, t.policy, t.tested, away(now, t.until), t.failures}
	}
	return s
}

// number is 0 where there is none.
func (l *launch) number() int {
	if l == nil {
		return 0
	}
	return l.n
}

func (l *launch) save(now time.Time) savedLaunch {
	return savedLaunch{
		N: l.n, Revision: l.revision, Policy: l.policy,
		State: l.state, Since: away(now, l.since), Deadline: away(now, l.deadline),
		Began: away(now, l.began), Budget: l.budget, StartedAt: away(now, l.startedAt), ReadyFor: l.readyFor, EndedAt: away(now, l.endedAt),
		Begun: l.begun, Good: l.good, StoodAt: away(now, l.stoodAt), TookOver: away(now, l.tookOver),
		Planned: l.planned, Outdated: l.outdated, Cause: saveError(l.cause), Exited: l.exited,
		Probe: savedProbing{away(now, l.probe.at), l.probe.pause, l.probe.failed, saveError(l.probe.err)},
		Count: savedCounting{away(now, l.count.at), l.count.last, l.count.told, l.count.drained},
		Tries: l.cleanTries, CleanErr: saveError(l.cleanErr), MayRun: l.mayRun,
	}
}
