package supervisor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// model is the world around a machine, as a fuzzed byte string moves it: it knows which calls are out, what each
// launch really is, and checks after every step that the machine keeps its promises.
type model struct {
	t        *testing.T
	data     []byte
	now      time.Time
	m        *machine
	calls    []action
	lives    map[int]*life
	asked    map[*waiter]bool // false: answered or withdrawn
	finished bool
	trace    []string

	serving   int // the launch that got all new connections last; 0: none yet
	canary    int
	failures  []input // of the steering, for the steps that follow
	revisions int
	fresh     int // number from which on launches are new since the last restart that was asked for

	connections int // what InFlight answers
}

// life is what the model knows of one launch.
type life struct {
	prepared  bool // Prepare has answered with success
	alive     bool // a container is there
	startedN  int  // how often Start was asked
	mayRun    bool // Start was asked, and nothing has said yet that no process is left
	cleaned   int  // successful answers of Clean
	forgotten bool
	overlap   bool // its policy lets it run beside another
	frozen    bool // Freeze has answered so
}

func newModel(t *testing.T, data []byte) *model {
	w := &model{t: t, data: data, now: scriptBegin, lives: map[int]*life{}, asked: map[*waiter]bool{}}
	p := Policy{CallTimeout: time.Second, StartTimeout: 5 * time.Second}
	flags := w.byte()
	p.Probe = ProbePolicy{Enabled: flags&1 != 0, Once: flags&2 != 0, UnhealthyAfter: int(flags >> 6)}
	p.Restart.Mode = []RestartMode{Always, Always, OnFailure, Never}[flags>>2&3]
	p.Restart.MaxFailures = int(flags >> 4 & 3)
	rules := w.byte()
	p.Restart.On = someRules(rules)
	p.Stop.Timeout = time.Duration(w.byte()%3) * time.Second
	p.Restart.ResetAfter = time.Duration(w.byte()%4) * time.Second // 0: ten
	w.setTraffic(&p)
	g := Gateway{Name: "web", Revision: "r0", Policy: p}
	if rules&128 != 0 {
		g.Held = &Hold{Cause: &ExitError{Code: 78}, Since: w.now}
	}
	if w.byte()%4 > 0 {
		g.Traffic = &noTraffic{}
	}
	w.m = newMachine(w.now, g, func() float64 { return float64(w.byte()) / 256 })
	return w
}

// someRules draws what follows some ends; 78 is held, and 75 uncounted, without a rule.
func someRules(flags byte) []RestartRule {
	var rules []RestartRule
	if flags&1 != 0 {
		rules = append(rules, RestartRule{Codes: []ExitCodes{{3, 3}}, Delay: time.Second, Uncounted: flags&2 != 0})
	}
	if flags&4 != 0 {
		action := []RestartAction{ActionRestart, ActionHold, ActionStop, ActionHold}[flags>>3&3]
		rules = append(rules, RestartRule{Causes: []CauseKind{CauseOOM, CauseUnhealthy}, Codes: []ExitCodes{{0, 0}}, Action: action})
	}
	if flags&32 != 0 {
		rules = append(rules, RestartRule{Causes: []CauseKind{CauseUnready}, Signals: []syscall.Signal{syscall.SIGKILL}, Action: ActionHold})
	}
	return rules
}

// setTraffic draws the parts of a policy that standbys and deploys are about.
func (w *model) setTraffic(p *Policy) {
	flags := w.byte()
	p.Overlap = flags&3 > 0
	p.Standby.Mode = []StandbyMode{NoStandby, CreatedStandby, WarmStandby, WarmStandby}[flags>>2&3]
	p.Standby.Check = time.Duration(flags>>4&1) * time.Second
	p.Standby.MaxAge = time.Duration(flags>>5&1) * 5 * time.Second
	p.Deploy.Drain = time.Duration(flags>>6&1) * time.Second
	p.Deploy.Confirm = time.Duration(flags>>7&1) * 30 * time.Second
	p.Launches = 2 + int(w.byte()%3)
}

func (w *model) byte() byte {
	if len(w.data) == 0 {
		return 0
	}
	b := w.data[0]
	w.data = w.data[1:]
	return b
}

func (w *model) failf(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.trace[max(0, len(w.trace)-40):] {
		w.t.Log(line)
	}
	w.t.Fatalf(format, args...)
}

// step gives the machine an input, and checks what it wants and what it is.
func (w *model) step(in input) {
	if w.finished {
		return
	}
	before := w.m.phase
	actions := w.m.step(w.now, in)
	w.trace = append(w.trace, fmt.Sprintf("%v %T%+v -> %s %s", w.now.Sub(scriptBegin), in, in, w.words(actions), w.m.phase))
	for _, a := range actions {
		w.take(a)
	}
	w.invariants()
	w.traffic(actions)
	w.heldFits(in, before, actions)
	if len(w.failures) > 0 {
		in := w.failures[0]
		w.failures = w.failures[1:]
		w.step(in)
	}
}

// words tells of actions what a trace needs.
func (w *model) words(actions []action) string {
	text := ""
	for _, a := range actions {
		switch a := a.(type) {
		case emit:
			text += fmt.Sprintf(" %s(%d)", a.event.Kind, a.event.Launch)
		case steer:
			text += fmt.Sprintf(" steer(%d %d)", a.n, a.share)
		case freeze:
			text += fmt.Sprintf(" freeze(%d %v)", a.n, a.frozen)
		case answer:
			text += fmt.Sprintf(" answer(%v)", a.err)
		default:
			text += fmt.Sprintf(" %s(%d)", strings.TrimPrefix(fmt.Sprintf("%T", a), "supervisor."), numberOf(a))
		}
	}
	return text
}

func (w *model) life(n int) *life {
	if w.lives[n] == nil {
		w.failf("launch %d was never prepared", n)
	}
	return w.lives[n]
}

// take notes an action after checking that it may be asked now.
func (w *model) take(a action) {
	switch a := a.(type) {
	case prepare:
		w.takePrepare(a)
	case start:
		w.takeStart(a)
	case probe, signal, kill, clean, freeze, count:
		w.takeCall(a)
	case steer:
		w.takeSteer(a)
	case forget:
		if l := w.life(a.n); l.cleaned != 1 || l.forgotten {
			w.failf("launch %d forgotten: %+v", a.n, *l)
		}
		w.lives[a.n].forgotten = true
	case answer:
		if !w.asked[a.who] {
			w.failf("an answer to one who does not wait: %v", a.err)
		}
		w.asked[a.who] = false
	case finish:
		w.finished = true
	}
}

func (w *model) takePrepare(a prepare) {
	if w.lives[a.n] != nil {
		w.failf("launch %d prepared twice", a.n)
	}
	at := slices.IndexFunc(w.m.launches, func(l *launch) bool { return l.n == a.n })
	fresh := &life{overlap: w.m.launches[at].policy.Overlap}
	waits := w.m.standby != nil && w.m.standby.n == a.n
	for n, l := range w.lives {
		beside := waits || l.overlap && fresh.overlap
		if n > a.n || l.mayRun && !beside {
			w.failf("launch %d prepared after %d: %+v", a.n, n, *l)
		}
	}
	w.lives[a.n] = fresh
	w.calls = append(w.calls, a)
}

func (w *model) takeStart(a start) {
	l := w.life(a.n)
	for n, other := range w.lives {
		beside := l.overlap && other.overlap
		if other.mayRun && !beside {
			w.failf("launch %d started beside %d", a.n, n)
		}
	}
	if !l.prepared || l.startedN > 0 {
		w.failf("launch %d started: %+v", a.n, *l)
	}
	l.startedN++
	l.mayRun = true
	w.calls = append(w.calls, a)
}

func (w *model) takeCall(a action) {
	n := numberOf(a)
	if w.life(n).forgotten {
		w.failf("%T of forgotten launch %d", a, n)
	}
	for _, c := range w.calls {
		_, twice := a.(kill) // only Kill may be asked beside itself
		if !twice && numberOf(c) == n && fmt.Sprintf("%T", c) == fmt.Sprintf("%T", a) {
			w.failf("two %T of launch %d at once", a, n)
		}
	}
	w.calls = append(w.calls, a)
}

func numberOf(a action) int {
	switch a := a.(type) {
	case prepare:
		return a.n
	case start:
		return a.n
	case probe:
		return a.n
	case signal:
		return a.n
	case kill:
		return a.n
	case clean:
		return a.n
	case freeze:
		return a.n
	case count:
		return a.n
	}
	return 0
}

// reply answers the i-th call that is out.
func (w *model) reply(i int, err error) {
	a := w.calls[i]
	w.calls = slices.Delete(w.calls, i, i+1)
	n := numberOf(a)
	l := w.lives[n]
	switch a := a.(type) {
	case prepare:
		l.prepared, l.alive = err == nil, err == nil
		l.mayRun = errors.Is(err, ErrRunning) && l.cleaned == 0 // else Clean has waited for it
		w.step(prepared{n, err})
	case start:
		w.step(started{n, err})
	case probe:
		w.step(probed{n, err})
	case signal:
		w.step(signalled{n, err})
	case kill:
		w.step(killed{n, err})
	case clean:
		l.takeClean(err)
		w.step(cleaned{n, err})
	case freeze:
		if err == nil {
			l.frozen = a.frozen
		}
		w.step(froze{n, a.frozen, err})
	case count:
		w.step(counted{n, w.connections, err})
	}
}

// takeClean notes an answer of Clean. Anything but ErrRunning and the call's own deadline means that no process
// is left.
func (l *life) takeClean(err error) {
	if err == nil {
		l.cleaned++
		l.alive = false
	}
	l.mayRun = errors.Is(err, ErrRunning) || l.mayRun && errors.Is(err, os.ErrDeadlineExceeded)
}

// exit ends a container that is there.
func (w *model) exit(n int, e Exit) {
	l := w.lives[n]
	l.alive = false
	if !w.saidRunning(n) {
		l.mayRun = false
	}
	w.step(exited{n, e})
}

func (w *model) saidRunning(n int) bool {
	for _, l := range w.m.launches {
		if l.n == n {
			return running(l.cleanErr)
		}
	}
	return false
}
