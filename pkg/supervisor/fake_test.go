package supervisor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// fake is a Launcher, Prober and Traffic in which everything works at once, unless set says otherwise.
type fake struct {
	mu       sync.Mutex
	on       map[string]func(ctx context.Context, n int) error // by the call's name; see set
	calls    []string
	revision string // of the last Prepare
	exits    map[int]chan supervisor.Exit
	missing  []string // calls without deadline

	connections int // what InFlight answers
}

func newFake() *fake {
	return &fake{on: map[string]func(context.Context, int) error{}, exits: map[int]chan supervisor.Exit{}}
}

// set replaces a call: prepare, start, signal, freeze, thaw, kill, clean, probe, switch or inflight. Where signal or kill return an error the
// program lives on. Nil: it works at once again.
func (f *fake) set(call string, do func(ctx context.Context, n int) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on[call] = do
}

func (f *fake) call(ctx context.Context, name string, n int) error {
	f.mu.Lock()
	f.calls = append(f.calls, fmt.Sprint(name, " ", n))
	if _, has := ctx.Deadline(); !has {
		f.missing = append(f.missing, name)
	}
	do := f.on[name]
	f.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(ctx, n)
}

func (f *fake) Prepare(ctx context.Context, n int, revision string) (<-chan supervisor.Exit, error) {
	if err := f.call(ctx, "prepare", n); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revision = revision
	f.exits[n] = make(chan supervisor.Exit, 1)
	return f.exits[n], nil
}

func (f *fake) Start(ctx context.Context, n int) error { return f.call(ctx, "start", n) }

func (f *fake) Signal(ctx context.Context, n int, signal syscall.Signal) error {
	err := f.call(ctx, "signal", n)
	if err == nil {
		f.exit(n, supervisor.Exit{Code: 143})
	}
	return err
}

func (f *fake) Freeze(ctx context.Context, n int, frozen bool) error {
	if frozen {
		return f.call(ctx, "freeze", n)
	}
	return f.call(ctx, "thaw", n)
}

func (f *fake) Kill(ctx context.Context, n int) error {
	err := f.call(ctx, "kill", n)
	if err == nil {
		f.exit(n, supervisor.Exit{Signal: syscall.SIGKILL})
	}
	return err
}

func (f *fake) Clean(ctx context.Context, n int) error { return f.call(ctx, "clean", n) }
func (f *fake) Probe(ctx context.Context, n int) error { return f.call(ctx, "probe", n) }

// Switch is the loop's own: it has no context, and is noted with its share.
func (f *fake) Switch(n, share int) error {
	f.mu.Lock()
	f.calls = append(f.calls, fmt.Sprint("switch ", n, " ", share))
	do := f.on["switch"]
	f.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(context.Background(), n)
}

func (f *fake) InFlight(ctx context.Context, n int) (int, error) {
	err := f.call(ctx, "inflight", n)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.connections, err
}

// inFlight sets the number of connections that every launch has.
func (f *fake) inFlight(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.connections = n
}

// exit ends the program of launch n, unless it has ended or was never there.
func (f *fake) exit(n int, e supervisor.Exit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.exits[n] != nil {
		f.exits[n] <- e
		f.exits[n] = nil
	}
}

// seen returns the calls so far.
func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fake) count(call string) int {
	n := 0
	for _, c := range f.seen() {
		if c == call {
			n++
		}
	}
	return n
}

// countOf counts the calls that begin so.
func (f *fake) countOf(prefix string) int {
	n := 0
	for _, c := range f.seen() {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

// hang waits for the end of its context, as a call that behaves well does.
func hang(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

// fails returns a call that always fails.
func fails(err error) func(context.Context, int) error {
	return func(context.Context, int) error { return err }
}

// record keeps events.
type record struct {
	mu     sync.Mutex
	events []supervisor.Event
}

func (r *record) observe(e supervisor.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *record) of(kind supervisor.EventKind) []supervisor.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []supervisor.Event
	for _, e := range r.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// world is a Supervisor in a bubble of virtual time. At the end it is shut down, and every goroutine must be gone:
// the bubble sees to that.
type world struct {
	*supervisor.Supervisor
	*record
	t *testing.T
}

func bubble(t *testing.T, run func(t *testing.T, w world)) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		w := world{supervisor.New(r.observe), r, t}
		run(t, w)
		w.within(time.Hour, func(ctx context.Context) error { w.Shutdown(ctx); return nil })
	})
}

// add adds gateway "web", or another name, to the world.
func (w world) add(name string, f *fake, p supervisor.Policy) {
	w.t.Helper()
	err := w.Add(supervisor.Gateway{Name: name, Revision: "a", Policy: p, Launcher: f, Prober: f})
	if err != nil {
		w.t.Fatal(err)
	}
}

// within calls f with a context that ends after d, and returns what it returns and how long it took.
func (w world) within(d time.Duration, f func(context.Context) error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	begin := time.Now()
	err := f(ctx)
	return time.Since(begin), err
}

// status returns the status of a gateway after everything that is under way has come to rest.
func (w world) status(name string) supervisor.Status {
	w.t.Helper()
	synctest.Wait()
	for _, s := range w.Status() {
		if s.Name == name {
			return s
		}
	}
	w.t.Fatalf("no gateway %s", name)
	return supervisor.Status{}
}

func (w world) wantPhase(name string, want supervisor.Phase) {
	w.t.Helper()
	if s := w.status(name); s.Phase != want {
		w.t.Fatalf("%s is %s, want %s", name, s.Phase, want)
	}
}

// probing is a policy with probes and a time for the signal.
func probing() supervisor.Policy {
	return supervisor.Policy{
		Probe: supervisor.ProbePolicy{Enabled: true, UnhealthyAfter: 3},
		Stop:  supervisor.StopPolicy{Timeout: 10 * time.Second},
	}
}
