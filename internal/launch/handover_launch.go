package launch

import (
	"context"
	"errors"
	"syscall"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/posture"
	"github.com/gatewayd/gatewayd/internal/probe"
	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// launchState is a launch of which no call is under way.
type launchState struct {
	N        int                  `json:"n"`
	Gateway  config.Gateway       `json:"gateway"`
	ID       string               `json:"id"`
	Leaf     bool                 `json:"leaf,omitempty"`
	Info     Info                 `json:"info"`
	Survived int64                `json:"survived,omitempty"` // OOM kills
	IDs      bundle.IDMap         `json:"ids"`
	Staged   *staging.State       `json:"staged,omitempty"`
	Output   *journal.OutputState `json:"output,omitempty"`
	Notify   *probe.NotifyState   `json:"notify,omitempty"`
	Pid      int                  `json:"pid,omitempty"` // 0: there is none, or it is reaped
	Made     bool                 `json:"made,omitempty"`
	Promise  *posture.Promise     `json:"promise,omitempty"`
	Proved   bool                 `json:"proved,omitempty"`
	Started  bool                 `json:"started,omitempty"`
	Frozen   bool                 `json:"frozen,omitempty"`
	Targets  []targetState        `json:"targets,omitempty"`
	Held     []heldState          `json:"held,omitempty"`
	Secrets  []secretState        `json:"secrets,omitempty"`
}

// Names of a launch's files.
const (
	fileStdout = "stdout"
	fileStderr = "stderr"
	fileNotify = "notify"
	fileFilter = "filter"
)

// suspend stops what goes on by itself in a launch, and packs what it has.
func (la *launch) suspend(ctx context.Context, pack Pack) (launchState, error) {
	if la.stopWatch != nil {
		la.stopWatch()
	}
	s := launchState{
		N: la.n, Gateway: la.gateway, ID: la.id, Leaf: la.leaf != nil, Info: *la.info.Load(),
		Survived: la.survived.Load(), IDs: la.ids, Promise: la.promise, Proved: la.proved.Load(), Made: la.work != nil, Started: la.started, Frozen: la.frozen,
		Targets: targetStates(la.targets),
	}
	if la.process != nil && !la.reaped {
		s.Pid = la.process.Pid()
	}
	if la.staged != nil {
		state := la.staged.State()
		s.Staged = &state
	}
	if err := la.packEnds(ctx, &s, pack); err != nil {
		return s, err
	}
	s.Held = la.heldStates() // now that an end, which closes the output first, waits for us
	return s, nil
}

// packEnds packs our ends of what the program is connected to.
func (la *launch) packEnds(ctx context.Context, s *launchState, pack Pack) error {
	if err := errors.Join(la.packOutput(ctx, s, pack), la.packSecrets(s, pack)); err != nil {
		return err
	}
	if la.notify != nil {
		state, socket := la.notify.State()
		s.Notify = &state
		if err := pack(fileNotify, socket); err != nil {
			return err
		}
	}
	if la.filter != nil {
		return pack(fileFilter, la.filter)
	}
	return nil
}

func (la *launch) packOutput(ctx context.Context, s *launchState, pack Pack) error {
	if la.output == nil {
		return nil
	}
	state, stdout, stderr, err := la.output.Suspend(ctx)
	if err != nil {
		return err
	}
	la.quiet, s.Output = true, &state
	for name, file := range map[string]syscall.Conn{fileStdout: stdout, fileStderr: stderr} {
		if name == fileStdout && state.Stdout.Ended || name == fileStderr && state.Stderr.Ended {
			continue
		}
		if err := pack(name, file); err != nil {
			return err
		}
	}
	return nil
}

// resume undoes suspend.
func (la *launch) resume() {
	if la.quiet {
		la.output.Continue()
		la.quiet = false
	}
	if la.stopWatch != nil {
		la.watchSource()
	}
}

// targetState is a target.
type targetState struct {
	Address string `json:"address,omitempty"`
	Chosen  string `json:"chosen,omitempty"`
	Host    string `json:"host,omitempty"`
	Dir     string `json:"dir,omitempty"`
	Name    string `json:"name,omitempty"`
}

func targetStates(targets []target) []targetState {
	var states []targetState
	for _, t := range targets {
		states = append(states, targetState{t.address, t.chosen, t.host, t.dir, t.name})
	}
	return states
}

func (s targetState) target() target { return target{s.Address, s.Chosen, s.Host, s.Dir, s.Name} }
