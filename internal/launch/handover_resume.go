package launch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/probe"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// Resume goes on with what Suspend has found in an earlier image of this process.
// It comes before anything else is asked of the Launcher. It goes on after an
// error: what a launch lacks then is its own cause to end (Adopt), and what of it
// there is can be cleaned. The state remains the caller's.
func (l *Launcher) Resume(ctx context.Context, s LauncherState, given Given) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revisions, l.newestRevision, l.newest = maps.Clone(s.Revisions), s.Newest, s.Revisions[s.Newest]
	errs := []error{l.ports.restore(ctx, s.Gateway, s.Ports, given)}
	for _, state := range s.Launches {
		la := newLaunch(l.host, &l.ports, state.Gateway, state.N)
		l.launches[state.N] = la
		if la.lost = la.restore(ctx, state, given); la.lost != nil {
			errs = append(errs, fmt.Errorf("launch %s: %w", state.ID, la.lost))
		}
	}
	return errors.Join(errs...)
}

// restore makes the launch what it was. What can be had of it is there also
// after an error.
func (la *launch) restore(ctx context.Context, s launchState, given Given) error {
	if s.ID == "" {
		return nil // it had failed before it owned anything
	}
	named := func(name string) *os.File { return given(fmt.Sprintf("%s.%d.%s", s.Gateway.Name, s.N, name)) }
	la.id, la.dir = s.ID, filepath.Join(la.host.Dirs.Launches(), s.ID)
	la.ids, la.promise, la.started, la.frozen = s.IDs, s.Promise, s.Started, s.Frozen
	la.info.Store(&s.Info)
	la.survived.Store(s.Survived)
	la.proved.Store(s.Proved)
	if s.Staged != nil {
		la.staged = la.host.staging().Restore(*s.Staged)
	}
	if s.Leaf && la.host.Cgroup != nil {
		la.leaf = la.host.Cgroup.LeafOf(s.ID)
		la.leafDir, _ = os.Open(la.leaf.Dir()) // one that is removed already is not needed
	}
	la.restoreSecrets(s, named)
	la.restoreOutput(s, named)
	errs := []error{la.restorePorts(ctx, s), la.restoreProbe(s, named), la.restoreWork(ctx, s)}
	if la.process != nil && la.staged != nil && !s.Gateway.Isolation.Bare {
		la.watchSource()
	}
	return errors.Join(errs...)
}

func (la *launch) restoreOutput(s launchState, named Given) {
	if s.Output != nil {
		from := journal.Launch{Gateway: s.Gateway.Name, Number: s.N, ContainerID: s.ID}
		la.output = journal.ResumeOutput(from, la.write, la.host.Redact, *s.Output, named(fileStdout), named(fileStderr))
	}
}

// restorePorts gives the launch the part of each port that it had, in the order
// of the configuration.
func (la *launch) restorePorts(ctx context.Context, s launchState) error {
	for _, t := range s.Targets {
		la.targets = append(la.targets, t.target())
	}
	var held []*holding
	var errs []error
	for i, state := range s.Held {
		if i >= len(s.Gateway.Listen) {
			return errors.New("it has more ports than listens")
		}
		h, err := la.restoreHolding(ctx, s.Gateway.Listen[i], state)
		if err != nil {
			errs = append(errs, fmt.Errorf("listen %s: %w", s.Gateway.Listen[i].Name, err))
			continue
		}
		held = append(held, h)
	}
	la.held.Store(&held)
	return errors.Join(errs...)
}

func (la *launch) restoreHolding(ctx context.Context, l config.Listen, s heldState) (*holding, error) {
	a := &la.host.addresses
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &holding{port: a.at(ctx, la.gateway.Name, l), listen: l}
	if h.port == nil {
		return nil, errors.New("the port was not handed over")
	}
	if s.Target == nil {
		var err error
		if h.slot, err = h.Hold(s.Slot); err != nil {
			return nil, err
		}
	} else {
		la.restoreTarget(h, s)
	}
	h.enter(la.ports, h.seat)
	return h, nil
}

func (la *launch) restoreTarget(h *holding, s heldState) {
	h.target, h.seat = s.Target.target(), h.seatOf(la.ports)
	if h.seat == nil {
		return
	}
	if s.Behind {
		la.behind = true
		h.seat.AddAs(la.n, h.target.dial, h.listen.ProxyProtocol)
	}
}

func (la *launch) restoreProbe(s launchState, named Given) error {
	la.filter = named(fileFilter)
	switch {
	case s.Pid == 0:
		return nil // nobody will ask
	case s.Notify == nil:
		return la.openProbe()
	}
	socket := named(fileNotify)
	if socket == nil {
		return errors.New("its notification socket was not handed over")
	}
	var err error
	la.notify, err = probe.ResumeNotify(filepath.Join(la.notifyHostDir(), "notify"), la.host.Redact, *s.Notify, socket)
	if err == nil {
		la.ask = la.notify.Probe
	}
	return err
}

// restoreWork takes up the workload with its process. One that had not begun to
// run bare has none.
func (la *launch) restoreWork(ctx context.Context, s launchState) error {
	if !s.Made {
		return nil
	}
	if s.Gateway.Isolation.Bare {
		return la.restoreBare(s)
	}
	r, err := la.host.Runtime(ctx)
	if err != nil {
		return err
	}
	work := &container{runtime: r, id: s.ID}
	la.work = work
	if s.Pid == 0 {
		return nil
	}
	if work.created, err = r.Adopt(s.ID, la.dir, s.Pid); err != nil {
		return err
	}
	la.watch(work.created.Process())
	return nil
}

func (la *launch) restoreBare(s launchState) error {
	la.work = &bare{cmd: &exec.Cmd{}, host: la.host, output: la.output} // it has begun
	if s.Pid == 0 {
		return errors.New("it had not begun")
	}
	la.host.children.spare(la)
	process, err := runtime.Watch(s.Pid)
	if err != nil {
		return err
	}
	la.watch(process)
	return nil
}
