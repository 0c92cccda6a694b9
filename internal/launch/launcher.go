package launch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Launcher carries out the launches of one gateway. It is the
// supervisor.Launcher, supervisor.Prober and supervisor.Traffic of that gateway.
type Launcher struct {
	host   *Host
	ports  ports
	trying bool           // its launches are to find out whether overlays work
	write  journal.Writer // the host's, unless it is set

	mu        sync.Mutex
	revisions map[string]config.Gateway
	newest    config.Gateway

	newestRevision string
	launches       map[int]*launch
	cleaned        []cleaned

	suspended []*launch // by Suspend, until Continue
}

// cleaned is what is still told of a launch that is forgotten, for those who
// hear of its end afterwards.
type cleaned struct {
	n    int
	info Info
}

// keepCleaned is how many of them are kept: the last.
const keepCleaned = 8

// NewLauncher returns the Launcher of one gateway, which knows no revision yet.
func NewLauncher(host *Host) *Launcher {
	l := &Launcher{host: host, ports: ports{host: host}, revisions: make(map[string]config.Gateway), launches: make(map[int]*launch)}
	l.ports.outdate = l.outdate
	return l
}

// Define makes a revision of the gateway known, so that Prepare can be asked
// for it. An error tells that one of its listeners cannot be had: the revision
// is known all the same, and Prepare tries again.
func (l *Launcher) Define(revision string, g config.Gateway) error {
	l.mu.Lock()
	l.revisions[revision] = g
	l.newest, l.newestRevision = g, revision
	l.mu.Unlock()
	return l.ports.openAll(g.Name, g.Listen)
}

// Listen opens what a revision listens on and is not open.
func (l *Launcher) Listen(g config.Gateway) error { return l.ports.openAll(g.Name, g.Listen) }

// Forget makes a revision unknown, unless it is the newest. Launches hold the
// revision they began with. What no other listens on is closed.
func (l *Launcher) Forget(revision string) {
	l.mu.Lock()
	if revision != l.newestRevision {
		delete(l.revisions, revision)
	}
	l.mu.Unlock()
	l.prune()
}

// Close gives up the listeners of a gateway that is removed, when its launches
// are gone.
func (l *Launcher) Close() error {
	l.mu.Lock()
	clear(l.revisions)
	l.mu.Unlock()
	return l.ports.prune(nil)
}

// Prepare stages and creates launch n. On an error the caller owes a Clean.
func (l *Launcher) Prepare(ctx context.Context, n int, revision string) (<-chan supervisor.Exit, error) {
	la, err := l.begin(ctx, n, revision)
	if err != nil {
		return nil, err
	}
	defer la.give()
	if err := la.prepare(ctx); err != nil {
		if !errors.Is(err, supervisor.ErrRunning) {
			la.releasePorts() // the next launch need not wait for Clean to have them
		}
		return nil, l.host.Redact.Error(l.host.Advised(err))
	}
	return la.exits, nil
}

// Start lets the program of a prepared launch run.
func (l *Launcher) Start(ctx context.Context, n int) error {
	return l.host.Advised(l.turn(ctx, n, (*launch).start))
}

// Signal asks the program to end as signal does by default; one for which it is
// gone already is no error.
func (l *Launcher) Signal(ctx context.Context, n int, signal syscall.Signal) error {
	return l.turn(ctx, n, func(la *launch, ctx context.Context) error { return la.signal(ctx, signal) })
}

// Freeze stops every process of launch n where it is, or lets it go on. One that
// is gone goes on without an error.
func (l *Launcher) Freeze(ctx context.Context, n int, frozen bool) error {
	if frozen && l.find(n) == nil {
		return fmt.Errorf("freeze launch %d: it is gone", n)
	}
	return l.turn(ctx, n, func(la *launch, ctx context.Context) error { return la.freeze(ctx, frozen) })
}

// Kill ends everything in the container of launch n.
func (l *Launcher) Kill(ctx context.Context, n int) error {
	return l.turn(ctx, n, (*launch).kill)
}

// Clean removes all that launch n left. It is idempotent and forgets the launch
// only when nothing is left.
func (l *Launcher) Clean(ctx context.Context, n int) error {
	err := l.turn(ctx, n, (*launch).clean)
	if err == nil {
		l.forget(n)
		l.prune()
	}
	return l.host.Advised(err)
}

func (l *Launcher) forget(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	la := l.launches[n]
	if la == nil {
		return
	}
	delete(l.launches, n)
	info := *la.info.Load()
	info.Pid, info.Cleaned = 0, true // the pid may be anybody's by now
	l.cleaned = append(l.cleaned, cleaned{n, info})
	l.cleaned = l.cleaned[max(0, len(l.cleaned)-keepCleaned):]
}

// Probe asks launch n whether it works.
func (l *Launcher) Probe(ctx context.Context, n int) error {
	la := l.find(n)
	if la == nil {
		return fmt.Errorf("probe launch %d: it is gone", n)
	}
	return l.host.Redact.Error(la.probe(ctx))
}

// Info tells of launch n what status shows, and for a while after its Clean
// what it was. It never waits.
func (l *Launcher) Info(n int) Info {
	info := l.Told(n)
	if la := l.find(n); la != nil {
		info.Listens = la.listens()
	}
	return info
}

// Told is Info without Listens, for which the kernel has to be asked.
func (l *Launcher) Told(n int) Info {
	l.mu.Lock()
	defer l.mu.Unlock()
	if la := l.launches[n]; la != nil {
		return *la.info.Load()
	}
	for _, c := range l.cleaned {
		if c.n == n {
			return c.info
		}
	}
	return Info{}
}

// Posture says in words how the newest revision asks to be isolated, as far as
// that is known before a launch: its package may ask for more.
func (l *Launcher) Posture() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	uid, _ := l.host.ids()
	return postureBefore(l.newest, uid)
}

func (l *Launcher) begin(ctx context.Context, n int, revision string) (*launch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("prepare launch %d: %w", n, err)
	}
	g, ok := l.revisions[revision]
	if !ok {
		return nil, fmt.Errorf("prepare launch %d: revision %s is not known", n, revision)
	}
	if l.launches[n] != nil {
		return nil, fmt.Errorf("prepare launch %d: it exists already", n)
	}
	la := newLaunch(l.host, &l.ports, g, n)
	la.trying, la.spare = l.trying, l.serves()
	if l.write != nil {
		la.write = l.write
	}
	la.tell(func(i *Info) { i.Revision = revision })
	la.turn <- struct{}{}
	l.launches[n] = la
	return la, nil
}

// serves says whether new connections go to a launch. With the lock.
func (l *Launcher) serves() bool {
	for _, la := range l.launches {
		for _, h := range la.inherited() {
			if h.Steered() == h.slot.Index() {
				return true
			}
		}
	}
	return false
}

func (l *Launcher) find(n int) *launch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.launches[n]
}

// turn runs do when nothing else is under way in launch n. A launch that does
// not exist needs nothing done. No error that leaves a Launcher has a secret: it
// is cut for status lines and histories.
func (l *Launcher) turn(ctx context.Context, n int, do func(*launch, context.Context) error) error {
	la := l.find(n)
	if la == nil {
		return nil
	}
	if err := la.take(ctx); err != nil {
		return err
	}
	defer la.give()
	return l.host.Redact.Error(do(la, ctx))
}
