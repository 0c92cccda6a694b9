package supervisor

import (
	"errors"
	"fmt"
	"os"
	"slices"
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
}

// life is what the model knows of one launch.
type life struct {
	prepared  bool // Prepare has answered with success
	alive     bool // a container is there
	startedN  int  // how often Start was asked
	mayRun    bool // Start was asked, and nothing has said yet that no process is left
	cleaned   int  // successful answers of Clean
	forgotten bool
}

func newModel(t *testing.T, data []byte) *model {
	w := &model{t: t, data: data, now: scriptBegin, lives: map[int]*life{}, asked: map[*waiter]bool{}}
	p := Policy{CallTimeout: time.Second, StartTimeout: 5 * time.Second}
	flags := w.byte()
	p.Probe = ProbePolicy{Enabled: flags&1 != 0, Once: flags&2 != 0, UnhealthyAfter: int(flags >> 6)}
	p.Restart.Mode = []RestartMode{Always, Always, OnFailure, Never}[flags>>2&3]
	p.Restart.MaxFailures = int(flags >> 4 & 3)
	p.Stop.Timeout = time.Duration(w.byte()%3) * time.Second
	w.m = newMachine(w.now, Gateway{Name: "web", Policy: p}, func() float64 { return float64(w.byte()) / 256 })
	return w
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
	actions := w.m.step(w.now, in)
	w.trace = append(w.trace, fmt.Sprintf("%v %T%+v -> %T %s", w.now.Sub(scriptBegin), in, in, actions, w.m.phase))
	for _, a := range actions {
		w.take(a)
	}
	w.invariants()
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
	case probe, signal, kill, clean:
		w.takeCall(a)
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
	for n, l := range w.lives {
		if n > a.n || l.mayRun {
			w.failf("launch %d prepared after %d: %+v", a.n, n, *l)
		}
	}
	w.lives[a.n] = &life{}
	w.calls = append(w.calls, a)
}

func (w *model) takeStart(a start) {
	l := w.life(a.n)
	for n, other := range w.lives {
		if other.mayRun {
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
	}
	return 0
}

// reply answers the i-th call that is out.
func (w *model) reply(i int, err error) {
	a := w.calls[i]
	w.calls = slices.Delete(w.calls, i, i+1)
	n := numberOf(a)
	l := w.lives[n]
	switch a.(type) {
	case prepare:
		l.prepared, l.alive = err == nil, err == nil
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

// invariants are what holds between any two steps.
func (w *model) invariants() {
	if w.finished {
		return
	}
	m := w.m
	if next := m.nextDeadline(); !next.IsZero() && !next.After(w.now) {
		w.failf("a deadline is due after the step that should have seen to it: %v", next.Sub(scriptBegin))
	}
	serving := 0
	for _, l := range m.launches {
		if l.deadline.IsZero() && l.state != ready && !(l.state == created && m.blocked()) {
			w.failf("launch %d is %s without an end", l.n, l.state)
		}
		if !l.leaving() {
			serving++
			if l != m.current {
				w.failf("launch %d is %s, and is not the current one", l.n, l.state)
			}
		}
	}
	if serving > 1 {
		w.failf("%d launches serve", serving)
	}
	w.phaseFits()
	w.waitersFit()
}

func (w *model) phaseFits() {
	m := w.m
	var s state
	if m.current != nil {
		s = m.current.state
	}
	fits := false
	switch m.phase {
	case Starting:
		fits = s == preparing || s == created || s == starting || s == "" && m.blocked()
	case Ready:
		fits = s == ready
	case Stopping:
		fits = s == cancelling || s == stopping || s == killing || s == "" && m.goal != toRun && !m.quiet()
	case Backoff, CrashLooping:
		fits = s == "" && !m.deadline.IsZero()
	case Stopped, Failed, Ended:
		fits = s == "" && m.settled
	}
	if m.phase == Stopped && len(w.lives) == 0 {
		fits = true // not begun yet
	}
	if !fits || m.deadline.IsZero() == (m.phase == Backoff || m.phase == CrashLooping) {
		w.failf("phase %s with launch state %q and deadline %v", m.phase, s, m.deadline)
	}
}

// waitersFit checks that nobody waits for what does not come by itself.
func (w *model) waitersFit() {
	for _, waits := range w.m.waiting {
		comes := w.m.goal != toRun
		if waits.until == untilReady {
			comes = w.m.goal == toRun && (w.m.phase == Starting || w.m.phase == Stopping)
		}
		if !comes {
			w.failf("somebody waits (until %d) in phase %s", waits.until, w.m.phase)
		}
	}
	for who, waits := range w.asked {
		known := slices.ContainsFunc(w.m.waiting, func(x waiting) bool { return x.who == who })
		if waits != known {
			w.failf("a waiter is lost: waits %v, known %v", waits, known)
		}
	}
}

// somebody is a new waiter.
func (w *model) somebody() *waiter {
	who := &waiter{}
	w.asked[who] = true
	return who
}

// move does one thing that may happen, as the next bytes say.
func (w *model) move() {
	op, arg := w.byte(), int(w.byte())
	switch op % 16 {
	case 0, 1, 2, 3, 4, 5: // most of the time, calls work
		w.replyTo(arg, nil)
	case 6, 7:
		w.replyTo(arg, someError(arg))
	case 8, 9:
		w.exitOf(arg)
	case 10:
		w.now = w.now.Add(time.Duration(arg) * time.Millisecond)
		w.step(tick{})
	case 11:
		if next := w.m.nextDeadline(); !next.IsZero() {
			w.now = next
		}
		w.step(tick{})
	case 12, 13:
		w.request(arg)
	case 14:
		w.late(arg)
	case 15:
		w.withdrawOne()
	}
}

func (w *model) replyTo(arg int, err error) {
	if len(w.calls) > 0 {
		w.reply(arg%len(w.calls), err)
	}
}

func someError(arg int) error {
	return []error{
		errors.New("no"), fmt.Errorf("x: %w", ErrPermanent), fmt.Errorf("x: %w", ErrRunning), os.ErrDeadlineExceeded,
	}[arg>>6]
}

func (w *model) exitOf(arg int) {
	for n := range len(w.lives) + 1 {
		if l := w.lives[n]; l != nil && l.alive {
			w.exit(n, []Exit{{}, {Code: 3}, {Signal: syscall.SIGKILL}, {OOM: true}}[arg%4])
			return
		}
	}
}

func (w *model) request(arg int) {
	switch arg % 16 {
	case 0, 1, 2, 3, 4:
		w.step(askStart{w.somebody()})
	case 5, 6, 7:
		w.step(askRestart{w.somebody()})
	case 8, 9, 10:
		w.step(askStop{w.somebody()})
	case 11:
		w.step(askPing{w.somebody()})
	case 12, 13:
		w.step(askReconfigure{w.somebody(), "b", w.m.policy})
	case 14:
		w.step(hurry{})
	case 15:
		w.step(askLeave{who: w.somebody(), abandon: arg > 200})
	}
}

// late gives answers that nobody waits for; nothing may follow.
func (w *model) late(arg int) {
	w.step(tick{}) // what is due comes first
	n := len(w.lives) + 7
	for old, l := range w.lives {
		if l.forgotten && old%4 == arg%4 {
			n = old
		}
	}
	err := someError(arg)
	w.nothingFollows(
		prepared{n, err}, prepared{n, nil}, started{n, err}, probed{n, err}, signalled{n, err}, killed{n, err},
		cleaned{n, err}, cleaned{n, nil}, exited{n, Exit{Code: 1}},
	)
	for _, l := range w.m.launches {
		w.unasked(l.n, err)
	}
}

// unasked gives a launch that is there answers to what is not asked.
func (w *model) unasked(n int, err error) {
	out := func(kind action) bool {
		return slices.ContainsFunc(w.calls, func(a action) bool {
			return numberOf(a) == n && fmt.Sprintf("%T", a) == fmt.Sprintf("%T", kind)
		})
	}
	if !out(prepare{}) {
		w.nothingFollows(prepared{n, err}, prepared{n, nil})
	}
	if !out(start{}) {
		w.nothingFollows(started{n, err}, started{n, nil})
	}
	if !out(probe{}) {
		w.nothingFollows(probed{n, err}, probed{n, nil})
	}
	if !out(clean{}) {
		w.nothingFollows(cleaned{n, err}, cleaned{n, nil})
	}
}

func (w *model) nothingFollows(inputs ...input) {
	for _, in := range inputs {
		if w.finished {
			return
		}
		if actions := w.m.step(w.now, in); len(actions) > 0 {
			w.failf("late %T%+v caused %T", in, in, actions[0])
		}
	}
}

func (w *model) withdrawOne() {
	for who, waits := range w.asked {
		if waits {
			w.asked[who] = false
			w.step(withdraw{who})
			return
		}
	}
}

// bringDown stops the gateway in a world in which everything works from now on.
func (w *model) bringDown() {
	if !w.finished {
		w.step(askStop{w.somebody()})
	}
	for range 2000 {
		if w.finished || w.m.phase == Stopped && len(w.m.launches) == 0 {
			w.settled()
			return
		}
		w.work()
	}
	w.failf("stop does not end: %s", w.m.phase)
}

// work answers a call, or lets a container end, or lets time go by.
func (w *model) work() {
	for n, l := range w.lives {
		killed := slices.ContainsFunc(w.calls, func(a action) bool { k, is := a.(kill); return is && k.n == n })
		if killed && l.alive {
			w.exit(n, Exit{Signal: syscall.SIGKILL})
			return
		}
	}
	if len(w.calls) > 0 {
		w.reply(0, nil)
		return
	}
	if next := w.m.nextDeadline(); !next.IsZero() {
		w.now = next
	}
	w.step(tick{})
}

func (w *model) settled() {
	for n, l := range w.lives {
		left := slices.ContainsFunc(w.m.launches, func(x *launch) bool { return x.n == n })
		if !left && (l.cleaned != 1 || !l.forgotten) {
			w.failf("launch %d at the end: %+v", n, *l)
		}
	}
	for who, waits := range w.asked {
		if waits {
			w.failf("%p was never answered", who)
		}
	}
}
