package supervisor

import (
	"errors"
	"fmt"
	"time"
)

// proofs is how many good probes after the switch prove a revision.
const proofs = 3

// trial is kept of the revision before while the new one may be rolled back.
type trial struct {
	previous string
	policy   Policy

	tested   bool      // the new one has been ready
	until    time.Time // when it is confirmed; zero: not tested yet
	failures int       // ends nobody asked for, since it is tested
}

// last says whether one more failure is one too many.
func (t *trial) last() bool { return t.failures+1 >= loopAfter }

func (t *trial) count(r ruling) {
	if t != nil && !r.Uncounted {
		t.failures++
	}
}

// test begins the time in which a revision is provisional, and returns its end; zero: it is not, or nothing could come
// back.
func (m *machine) test(now time.Time) time.Time {
	if m.policy.Deploy.Confirm <= 0 || m.trial == nil {
		m.trial = nil
		return time.Time{}
	}
	m.trial.tested, m.trial.until = true, now.Add(m.policy.Deploy.Confirm)
	return m.trial.until
}

// confirmAt is when the revision is confirmed; zero: not as long as things are as they are. One that does not serve
// at the end of its time, or has hardly begun to, is not: it may be in the middle of a crash loop.
func (m *machine) confirmAt() time.Time {
	if m.trial == nil || m.phase != Ready {
		return time.Time{}
	}
	return later(m.trial.until, m.current.since.Add(m.policy.Restart.ResetAfter))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// confirm makes a revision that has been ready the one that stays.
func (m *machine) confirm(now time.Time) {
	if m.trial == nil || !m.trial.tested {
		return
	}
	m.trial = nil
	m.emit(now, Event{Kind: DeployConfirmed, Launch: m.last, Revision: m.revision})
}

// unfit counts an end that nobody asked for, and says whether the revision before has to come back.
func (m *machine) unfit(l *launch, r ruling) bool {
	t := m.trial
	if t == nil {
		return false
	}
	t.count(r)
	return !t.tested || t.failures >= loopAfter || errors.Is(l.cause, ErrPermanent) || l.holds(r)
}

// rollBack brings the revision before back. What came of the new one is history. A deploy that is on its way beside it
// goes on.
func (m *machine) rollBack(now time.Time, cause error) {
	m.revision, m.policy = m.trial.previous, m.trial.policy
	m.trial, m.history, m.standing = nil, history{}, standing{}
	m.rolledBack, m.rolledBackAt = cause, now
	m.emit(now, Event{Kind: RolledBack, Launch: m.last, Revision: m.revision, Cause: cause})
	if m.doing == nil || !m.doing.beside {
		m.doing = nil
		m.tellDeploy(fmt.Errorf("%w: %w", ErrRolledBack, cause))
	}
	m.dismiss(now)
	m.begin(now)
}

// prove answers who waits for the first good probes after a switch. Where there are no more probes, readiness was all.
func (m *machine) prove(now time.Time) {
	p := m.policy.Probe
	if !m.proving || p.Enabled && !p.Once && m.current.good < proofs {
		return
	}
	m.proving = false
	m.emit(now, Event{Kind: DeployProved, Launch: m.current.n, Revision: m.revision})
	m.tell(untilProved, nil)
}
