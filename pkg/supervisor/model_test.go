package supervisor

import (
	"errors"
	"fmt"
	"os"
	"slices"
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
