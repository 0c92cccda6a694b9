package main

import (
	"context"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/internal/revisions"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// What becomes of revisions is noted in memory by the gateways' loops, which
// must not wait, and written down by a goroutine of its own.

// note takes from an event what the history of the gateway should know.
func (d *daemon) note(e supervisor.Event, info launch.Info) {
	entry, ok := d.gateways.get(e.Gateway)
	if !ok {
		return
	}
	h := entry.history
	if n, err := strconv.Atoi(info.Revision); err == nil {
		h.Examined(n, info.Digest)
		if serving, _ := h.Serving(); e.Kind == supervisor.LaunchReady && serving.Number == n {
			h.Settle(n, revisions.Served, "")
		}
	}
	if n, err := strconv.Atoi(e.Revision); err == nil {
		noteDeploy(h, e, n)
	}
	d.write()
}

// learn notes the digest of the source of what serves: that of a live overlay is
// found out after the launch is ready, and no event tells.
func (d *daemon) learn(entry gateway) {
	s, _ := d.state(entry.file.Name)
	info := entry.launcher.Told(s.Launch)
	if n, err := strconv.Atoi(info.Revision); err == nil {
		entry.history.Examined(n, info.Digest)
		d.write()
	}
}

// noteDeploy notes what became of a deploy.
func noteDeploy(h *revisions.History, e supervisor.Event, n int) {
	switch e.Kind {
	case supervisor.DeploySwitched:
		before, _ := h.Serving()
		h.Serve(n)
		h.Settle(n, revisions.Served, "")
		if !e.Next.IsZero() {
			h.Try(before.Number, e.Next)
		}
	case supervisor.DeployConfirmed:
		h.Confirm()
	case supervisor.DeployFailed:
		h.Settle(n, outcome(e.Cause), text(e.Cause))
	case supervisor.RolledBack:
		if bad, ok := h.Serving(); ok && bad.Number != n {
			h.Settle(bad.Number, revisions.RolledBack, text(e.Cause))
		}
		h.Serve(n)
	}
}

// write has the books brought up to date soon.
func (d *daemon) write() {
	select {
	case d.written <- struct{}{}:
	default: // it will be anyway
	}
}

// unwrittenPause is how long after a failure the books are written again: a disk that
// was full has room before anything else happens to a gateway.
const unwrittenPause = 5 * time.Second

// keepBooks writes until ctx ends, and then once more.
func (d *daemon) keepBooks(ctx context.Context) {
	var again <-chan time.Time // nil: all is written
	for {
		select {
		case <-d.written:
		case <-again:
		case <-ctx.Done():
			d.writeBooks()
			return
		}
		again = nil
		if !d.writeBooks() {
			again = time.After(unwrittenPause)
		}
	}
}

// writeBooks writes down the histories and has the launchers forget the
// revisions that nobody can ask for any more. It says whether all is written.
func (d *daemon) writeBooks() bool {
	all := true
	for _, entry := range d.gateways.all() {
		all = d.save(entry) && all
		entry.defined.keep(func() (wanted, bool) { return d.wanted(entry.file.Name) })
	}
	return all
}

// save says whether the history is written down. That it is not is told once, and
// when it is over.
func (d *daemon) save(entry gateway) bool {
	name := entry.file.Name
	err := entry.history.Save()
	if err == nil {
		if _, was := d.unwritten.LoadAndDelete(name); was {
			d.log.Info("the history of "+name+" is written down again", event("history-lost"), zap.String("gateway", name))
		}
		return true
	}
	if _, was := d.unwritten.Swap(name, err); !was {
		d.log.Warn("the history of "+name+" is not written down: a gatewayd that starts now would not know of the last changes; tried again every "+unwrittenPause.String(),
			event("history-lost"), zap.String("gateway", name), zap.Error(d.host.Advised(err)))
	}
	return false
}

// wanted are the revisions of a gateway that may be asked for.
func (d *daemon) wanted(name string) (wanted, bool) {
	s, ok := d.state(name)
	w := wanted{serving: s.Revision, comeBack: s.Previous}
	if s.Deploying != nil {
		w.comes = s.Deploying.Revision
	}
	return w, ok
}

// state is the gateway as the supervisor has it.
func (d *daemon) state(name string) (supervisor.Status, bool) {
	for _, s := range d.supervisor.Status() {
		if s.Name == name {
			return s, true
		}
	}
	return supervisor.Status{}, false
}
