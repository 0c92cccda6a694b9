package launch

import (
	"context"
	"maps"
	"sync"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/internal/redact"
	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// Host is what all launches of one gatewayd share. Its fields are set before
// the first launch and not changed afterwards.
type Host struct {
	Dirs   Dirs
	Cgroup *runtime.Cgroup                  // nil: no cgroup of version 2 is delegated to us
	Env    func(name string) (string, bool) // gatewayd's own environment, as it was at start
	Self   string                           // path of gatewayd's own binary
	Write  journal.Writer                   // takes each line that a gateway writes
	Log    *zap.Logger                      // nil: nobody listens
	Swept  func(ids []string)               // is told what a sweep has removed; nil: nobody asks
	Flush  func(ctx context.Context)        // has the journal know what was told so far; nil: nobody has to
	Redact *redact.Set                      // knows each secret before it can be shown; nil: there is none

	Sockets *listen.Sockets // what systemd has handed over; nil: nothing
	Keeper  listen.Keeper   // keeps listeners beyond the end of this process; nil: nobody does

	// OnMainThread calls f in the main thread of the process: what is to end with
	// us must not end with a thread of ours. Nil: any thread will do.
	OnMainThread func(ctx context.Context, f func() error) error

	// Runtime waits until the runtime is open. Where there is none, which the
	// error tells by runtime.ErrNoRuntime, only bare gateways can run.
	Runtime func(context.Context) (*runtime.Runtime, error)

	pretends bool // the runtime is one of a test, and isolates nothing

	addresses addresses
	checks    checks
	children  children
	sealed    sealedSelf

	stagerOnce sync.Once
	stager     staging.Stager
	overlays   overlays
}

// staging is what stages all launches.
func (h *Host) staging() *staging.Stager {
	h.stagerOnce.Do(func() {
		h.stager.Cache = h.Dirs.Digests()
		h.stager.Helper, h.stager.Hold = Helper, h.children.hold
		h.stager.Overlays = h.overlaysWork
	})
	return &h.stager
}

func (h *Host) onMainThread(ctx context.Context, f func() error) error {
	if h.OnMainThread == nil {
		return f()
	}
	return h.OnMainThread(ctx, f)
}

// log is where launches are told of; nowhere if there is no Log.
func (h *Host) log() *zap.Logger {
	if h.Log == nil {
		return zap.NewNop()
	}
	return h.Log
}

// flush comes before the directory of a launch goes, by which the next gatewayd
// would tell of it, if this one is killed before the journal knows its end.
func (h *Host) flush(ctx context.Context) {
	if h.Flush != nil {
		h.Flush(ctx)
	}
}

// children are the processes that launches wait for: whatever else turns up as
// our child is an orphan.
type children struct {
	mu   sync.Mutex
	pids map[int]struct{}
	busy int                       // staging passes and exec probes, whose processes have no name here
	bare map[*launch]*runtime.Leaf // of those that may have a process; nil: without a cgroup

	reaping sync.Mutex // two would fight for the same orphan
}

func (c *children) add(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pids == nil {
		c.pids = make(map[int]struct{})
	}
	c.pids[pid] = struct{}{}
}

func (c *children) remove(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pids, pid)
}

// spare lets what the bare launch forks live, until drop.
func (c *children) spare(la *launch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bare == nil {
		c.bare = make(map[*launch]*runtime.Leaf)
	}
	c.bare[la] = la.leaf
}

func (c *children) drop(la *launch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.bare, la)
}

// spared says whether the process pid may be what a bare launch has forked: a
// daemon of its own, say, whose parent is gone. A container's has another
// parent, the init of its pid namespace. Without a cgroup nobody can tell.
func (c *children) spared(pid int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, leaf := range c.bare {
		if leaf == nil || leaf.Holds(pid) {
			return true
		}
	}
	return false
}

// hold keeps orphans from being reaped until the function that it returns is
// called: what is started meanwhile could be taken for one.
func (c *children) hold() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy--
	}
}

// reapOrphans reaps what became our child without being started by us, as it
// happens to a subreaper: what a killed runtime, hook or probe left. While
// something is held it is left for the next time.
func (c *children) reapOrphans() error {
	owned, busy := c.owned()
	if busy || !c.reaping.TryLock() {
		return nil
	}
	defer c.reaping.Unlock()
	// What is started from here on is too young to be taken for an orphan.
	_, err := runtime.ReapOrphans(owned, c.spared)
	return err
}

// reapLeft reaps what a launch has left to us as children, once its leaf is empty.
func (c *children) reapLeft(leaf *runtime.Leaf) error {
	c.reaping.Lock()
	defer c.reaping.Unlock()
	owned, _ := c.owned()
	return leaf.ReapOrphans(owned)
}

// owned returns what tells of a process that is known here by now, and whether there
// may be children that are not.
func (c *children) owned() (owned func(pid int) bool, busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pids := maps.Clone(c.pids)
	return func(pid int) bool { _, ok := pids[pid]; return ok }, c.busy > 0
}
