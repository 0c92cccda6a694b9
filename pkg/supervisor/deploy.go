package supervisor

import (
	"errors"
	"time"
)

var errNoPlace = errors.New("no place for another launch: none of the earlier ones has ended in time")

// deploying is a deploy whose new revision does not serve yet.
type deploying struct {
	Deployment
	beside   bool // the new launch, m.candidate, comes up beside the one that serves; false: in its place
	began    time.Time
	stage    DeployStage // of one beside: DeployWaiting, DeployStarting or DeployInCanary
	deadline time.Time   // when the stage ends by itself; zero: with its launch
}

// enter is the only place where stage and deadline of a deploy change.
func (d *deploying) enter(s DeployStage, deadline time.Time) { d.stage, d.deadline = s, deadline }

// deploy takes a new revision and policy.
func (m *machine) deploy(now time.Time, in askDeploy) {
	d := in.deployment
	d.Policy = d.Policy.withDefaults()
	switch {
	case m.leaves():
		m.answer(in.who, ErrUnknownGateway)
		return
	case m.goal != toRun && d.Until != Taken:
		m.answer(in.who, ErrStopped)
		return
	}
	m.supersede(now)
	m.rolledBack, m.rolledBackAt = nil, time.Time{}
	if m.goal != toRun {
		m.confirm(now)
		m.revision, m.policy, m.trial = d.Revision, d.Policy, nil
		m.answer(in.who, nil)
		return
	}
	m.emit(now, Event{Kind: DeployStarted, Revision: d.Revision, Why: d.Why})
	m.doing = &deploying{Deployment: d, began: now}
	m.listenTo(in.who, d.Until)
	if m.canBeBeside(d.Policy) {
		m.deployBeside(now)
	} else {
		m.deployInPlace(now)
	}
}

func (m *machine) listenTo(who *waiter, u DeployUntil) {
	switch u {
	case Taken:
		m.answer(who, nil)
	case Switched:
		m.wait(who, untilSwitched)
	case Proved:
		m.wait(who, untilProved)
	}
}

// canBeBeside says whether a launch under p may come up while the current one serves.
func (m *machine) canBeBeside(p Policy) bool {
	return m.phase == Ready && sideBySide(m.current.policy, p)
}

func (m *machine) deployBeside(now time.Time) {
	m.dismiss(now)
	m.doing.beside = true
	m.doing.enter(DeployWaiting, now.Add(m.doing.Policy.StartTimeout))
}

// bring begins the new launch of a deploy that waits for a place.
func (m *machine) bring(now time.Time) {
	d := m.doing
	if d == nil || !d.beside || m.candidate != nil || m.blocked(d.Policy) || !m.room(now) {
		return
	}
	m.candidate = m.launch(now, d.Revision, d.Policy)
	d.enter(DeployStarting, time.Time{})
}

// deployInPlace ends what runs; the new revision follows, and until it has been ready once the old one may come back.
// Of two in a row, of which the first was never ready or does not last, the one before both comes back. What is held
// gives way for good.
func (m *machine) deployInPlace(now time.Time) {
	if m.phase == Ready {
		m.confirm(now)
	}
	switch {
	case m.phase == Held: // what is held does not work: it would only take the place of what may
	case m.trial == nil:
		m.trial = &trial{previous: m.revision, policy: m.policy}
	default:
		m.trial.tested, m.trial.until, m.trial.failures = false, time.Time{}, 0
	}
	m.revision, m.policy = m.doing.Revision, m.doing.Policy
	m.standing = standing{}
	m.clear(now)
	m.replace(now)
}

// supersede gives up a deploy that is under way: something else was asked for.
func (m *machine) supersede(now time.Time) {
	d, l := m.doing, m.candidate
	m.doing, m.candidate = nil, nil
	if d != nil && d.beside {
		m.emit(now, Event{Kind: DeployFailed, Revision: d.Revision, Cause: ErrSuperseded})
	}
	if l != nil {
		m.letGo(now, l)
	}
	m.tellDeploy(ErrSuperseded)
}

// tellDeploy answers everyone who waits for the deploy: it has come to nothing.
func (m *machine) tellDeploy(err error) {
	m.proving = false
	m.tell(untilSwitched, err)
	m.tell(untilProved, err)
}
