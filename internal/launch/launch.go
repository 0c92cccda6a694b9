package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/posture"
	"github.com/gatewayd/gatewayd/internal/probe"
	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// launch is one attempt to run a gateway. Its methods run one at a time, by
// take and give; only probe and info may be used beside them.
type launch struct {
	host    *Host
	gateway config.Gateway
	n       int

	turn   chan struct{}
	exits  chan supervisor.Exit
	info   atomic.Pointer[Info]
	asking asking
	ports  *ports // of the gateway
	held   atomic.Pointer[[]*holding]
	adding sync.Mutex // to proxies, and giving back
	left   []*port    // what it had, and may have done something to

	fault  atomic.Pointer[error] // why it can serve no more; nil: it can
	proved atomic.Bool           // to be isolated as promised, before it was ready

	namespace atomic.Pointer[os.File] // of the mounts; nil: it is not held
	blind     atomic.Bool             // we were in no state to probe it the last time
	survived  atomic.Int64            // OOM kills that the program has outlived, as a good probe shows

	id, dir  string           // dir: launches/<id>
	leaf     *runtime.Leaf    // nil: no cgroup to be had
	leafDir  *os.File         // the leaf's directory; nil: no leaf
	packaged *bundle.Packaged // nil: the source is a bare tree
	promise  *posture.Promise // how the container is to be isolated; nil: there is none
	ids      bundle.IDMap     // of the container
	staged   *staging.Staged  // nil before it is staged
	trying   bool             // this launch is to find out whether overlays work
	spare    bool             // another one serves as this one begins
	write    journal.Writer
	output   *journal.Output  // nil before it is opened
	targets  []target         // where the program listens behind proxies
	passed   []*os.File       // sockets for the program; nil once it has them
	notify   *probe.Notify    // nil: the gateway sends no READY=1
	ask      probe.Probe      // nil: ready when started
	filter   *os.File         // what exec probes get as inside.FilterFile; nil: there are none
	work     workload         // nil before it is made
	secrets  []secret         // that it has
	process  *runtime.Process // nil before there is one
	ended    chan struct{}    // closed when the end of process is told; nil before there is one
	reaped   bool             // the pid of process may be another's
	started  bool             // the program runs, or did
	frozen   bool             // its processes may be
	behind   bool             // proxies may connect to the program

	stopWatch func() // ends the watch over the source and waits for it; nil: there is none
	quiet     bool   // the output is suspended
	lost      error  // what could not be taken over from an earlier image
}

// Info is what status tells of a launch. What is not known yet is zero.
type Info struct {
	Revision string // as it was asked for
	ID       string
	Pid      int    // zero again when it is cleaned
	Cleaned  bool   // nothing of it is left
	Runtime  string // the runtime's name; "": none, or not yet
	Bare     bool
	Posture  string // in words; "": nothing is made that could have one

	Verified time.Time         // when it was last read back from the kernel and found as promised; zero: it was not
	Differs  []posture.Finding // what was found otherwise
	Unseen   []string          // what could not be looked at, and why

	Stage         string // staging.Copy or staging.Overlay
	StageReason   string // why it was not the other one
	Digest        string // of the source; "": not taken, or not yet
	IDs           string // "single" or "range"
	SourceChanged string // what happened to the source under a live overlay

	Listens []ListenInfo // of a launch that holds its ports, in the order of the configuration
}

// workload is what runs in a launch: a container, or a bare process.
type workload interface {
	// start lets the program run and returns its process.
	start(ctx context.Context) (*runtime.Process, error)
	// kill ends process and, as far as there is a way without a cgroup, what
	// it forked. The process is not reaped yet.
	kill(process *runtime.Process) error
	// remove takes away what the runtime keeps of it. Absent: nil.
	remove(ctx context.Context) error
	// words are what the runtime wrote of its own accord, such as why the
	// program could not be executed.
	words() string
}

func newLaunch(host *Host, ports *ports, g config.Gateway, n int) *launch {
	la := &launch{
		host: host, ports: ports, gateway: g, n: n, write: host.Write,
		turn:   make(chan struct{}, 1),
		exits:  make(chan supervisor.Exit, 1),
		asking: newAsking(),
	}
	la.info.Store(&Info{})
	return la
}

func (la *launch) take(ctx context.Context) error {
	select {
	case la.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("launch %s: an earlier call is still under way: %w: %w", la.id, supervisor.ErrRunning, ctx.Err())
	}
}

func (la *launch) give() { <-la.turn }

func (la *launch) start(ctx context.Context) error {
	if la.work == nil {
		return fmt.Errorf("start launch %d of %s: it is not prepared", la.n, la.gateway.Name)
	}
	if cause := la.fault.Load(); cause != nil {
		return *cause
	}
	la.started = true // also when it fails: it may be
	process, err := la.work.start(ctx)
	if err != nil {
		if la.process == nil { // there never was one, whose end would tell
			la.exits <- supervisor.Exit{Err: err}
		}
		return err
	}
	la.watch(process)
	la.behindProxy()
	if la.ask != nil {
		return nil // the first good probe comes before ready, and the clients before both
	}
	if err := la.verified(ctx); !errors.Is(err, posture.ErrEnded) {
		return err
	}
	return nil
}

func (la *launch) signal(ctx context.Context, signal syscall.Signal) error {
	if la.process == nil || la.reaped {
		return nil
	}
	return errors.Join(la.process.Stop(signal), la.thaw(ctx))
}

// kill ends every process of the launch. The end of a pid namespace's init is
// the end of all in it (pid_namespaces(7)), and the leaf's cgroup.kill reaches
// what else there is: probes, and all that a bare process forked.
func (la *launch) kill(ctx context.Context) error {
	var errs []error
	if la.process != nil && !la.reaped {
		errs = append(errs, la.work.kill(la.process))
	}
	if la.leaf != nil {
		errs = append(errs, la.leaf.Kill(ctx))
	}
	return errors.Join(errs...)
}

// watch makes process the one whose end is the end of the launch. A second call
// does nothing: a container has its process from Prepare on, a bare one from
// Start on.
func (la *launch) watch(process *runtime.Process) {
	if la.process != nil {
		return
	}
	la.host.children.add(process.Pid())
	la.process, la.ended = process, make(chan struct{})
	la.tell(func(i *Info) { i.Pid = process.Pid() })
	go func() {
		defer close(la.ended)
		la.exits <- la.await(process, la.work, la.leaf, la.output)
	}()
}

// tell replaces what Info returns. The watch over the source tells beside the
// launch's other methods.
func (la *launch) tell(change func(*Info)) {
	for {
		before := la.info.Load()
		info := *before
		change(&info)
		if la.info.CompareAndSwap(before, &info) {
			return
		}
	}
}
