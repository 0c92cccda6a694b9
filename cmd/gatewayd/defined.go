package main

import (
	"maps"
	"slices"
	"sync"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/launch"
)

// defined are the revisions of a gateway that its launcher knows. One that the
// supervisor may ask for must be among them: the one that serves, the one that
// would come back, and those on their way.
type defined struct {
	launcher *launch.Launcher
	changing sync.Mutex // what the launcher knows is changed by one at a time: it opens listeners
	lack     lack       // with changing

	mu        sync.Mutex
	revisions map[string]config.Gateway
	newest    string
	held      int // deploys on their way: nothing is forgotten meanwhile
}

func newDefined(l *launch.Launcher) *defined {
	return &defined{launcher: l, revisions: make(map[string]config.Gateway)}
}

// add makes a revision known. Nothing is forgotten until release is called. An
// error tells that a listener cannot be had: each launch then tries again, and fails
// with it.
func (d *defined) add(revision string, g config.Gateway) (release func(), err error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.mu.Lock()
	d.revisions[revision], d.newest = g, revision
	d.held++
	d.mu.Unlock()
	err = d.launcher.Define(revision, g)
	d.lack = lack{err, g}
	return d.release, err
}

// lack is what the revision that came last does not have of its listeners.
type lack struct {
	err     error // nil: nothing
	gateway config.Gateway
}

// lacking tries once more, and tells what the revision that came last still lacks.
func (d *defined) lacking() error {
	d.changing.Lock()
	defer d.changing.Unlock()
	if d.lack.err != nil {
		d.lack.err = d.launcher.Listen(d.lack.gateway)
	}
	return d.lack.err
}

func (d *defined) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held--
}

// all are the revisions.
func (d *defined) all() []config.Gateway {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.revisions))
}

// get returns a revision, or the newest where it is not known.
func (d *defined) get(revision string) config.Gateway {
	if d == nil {
		return config.Gateway{} // of a gateway that is gone
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if g, ok := d.revisions[revision]; ok {
		return g
	}
	return d.revisions[d.newest]
}

func (d *defined) newestRevision() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.newest
}

// wanted are revisions that may be asked for.
type wanted struct {
	serving  string
	comes    string // of a deploy on its way; may be empty
	comeBack string // if what serves does not last; may be empty
}

// keep forgets all revisions but those that are wanted, unless a deploy is on its
// way, and closes the listeners that only the others had. Those of one that may
// come back are closed, too, and opened again if it does. ask is called when no
// deploy can begin any more; false: nothing is known of the gateway.
func (d *defined) keep(ask func() (wanted, bool)) {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.mu.Lock()
	busy := d.held > 0 || len(d.revisions) < 2
	d.mu.Unlock()
	if busy {
		return
	}
	w, ok := ask()
	if !ok {
		return
	}
	g, known, unwanted := d.part(w)
	if !known {
		return
	}
	if len(unwanted) > 0 {
		// What it got last is what a launcher goes by, and does not forget.
		_ = d.launcher.Define(w.serving, g) // its listeners are there, or each launch says what is wrong
	}
	for _, revision := range unwanted {
		d.launcher.Forget(revision)
	}
	d.launcher.ListenFor(w.serving, w.comes)
}

// part takes those away that are not wanted.
func (d *defined) part(w wanted) (serving config.Gateway, known bool, unwanted []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	serving, known = d.revisions[w.serving]
	if !known {
		return serving, false, nil
	}
	for revision := range d.revisions {
		if revision != w.serving && revision != w.comes && revision != w.comeBack {
			unwanted = append(unwanted, revision)
			delete(d.revisions, revision)
			d.newest = w.serving
		}
	}
	return serving, true, unwanted
}
