package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// somebody is a new waiter.
func (w *model) somebody() *waiter {
	who := &waiter{}
	w.asked[who] = true
	return who
}

// move does one thing that may happen, as the next bytes say.
func (w *model) move() {
	op, arg := w.byte(), int(w.byte())
	w.connections = int(op >> 4 & 1)
	switch op % 16 {
	case 0, 1: // for a while all is well
		for range arg % 32 {
			w.work()
		}
	case 2, 3, 4, 5: // most of the time, calls work
		w.replyTo(arg, nil)
	case 6, 7:
		w.replyTo(arg, someError(arg))
	case 8:
		w.exitOf(arg)
	case 9:
		w.probeOf(arg)
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
		if arg%2 == 0 {
			w.withdrawOne()
		} else {
			w.nextImage()
		}
	}
}

func (w *model) replyTo(arg int, err error) {
	if len(w.calls) > 0 {
		w.reply(arg%len(w.calls), err)
	}
}

// probeOf answers a probe or a count: most of what is out is that.
func (w *model) probeOf(arg int) {
	for i, a := range w.calls {
		switch a.(type) {
		case probe, count:
			var err error
			if arg%2 == 0 {
				err = errors.New("no")
			}
			w.reply(i, err)
			return
		}
	}
}

func someError(arg int) error {
	return []error{
		errors.New("no"), fmt.Errorf("x: %w", ErrPermanent), fmt.Errorf("x: %w", ErrRunning), os.ErrDeadlineExceeded,
		fmt.Errorf("x: %w", ErrUncounted),
	}[arg>>3%5]
}

func (w *model) exitOf(arg int) {
	var alive []int
	for n := range len(w.lives) + 1 {
		if l := w.lives[n]; l != nil && l.alive {
			alive = append(alive, n)
		}
	}
	if len(alive) == 0 {
		return
	}
	n := alive[(arg>>3)%len(alive)]
	switch kind := arg % 8; kind {
	case 6, 7:
		w.meant(n, []int{75, 78}[kind-6])
	default:
		w.exit(n, []Exit{{}, {Code: 3}, {Code: 3}, {Code: 3}, {Signal: syscall.SIGKILL}, {OOM: true}}[kind])
	}
}

func (w *model) request(arg int) {
	switch arg % 16 {
	case 0, 1, 2, 3:
		w.step(askStart{w.somebody()})
	case 4:
		w.fresh = w.m.next
		w.step(askRestart{w.somebody()})
	case 5, 6:
		w.step(askStop{w.somebody()})
	case 7:
		if arg < 128 {
			w.step(changed{"source"})
		} else {
			w.step(askPing{w.somebody()})
		}
	case 8:
		w.step(hurry{})
	case 9:
		if arg > 128 {
			w.step(askLeave{who: w.somebody(), abandon: arg > 200})
		}
	default:
		w.step(w.deploy(arg))
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
		cleaned{n, err}, cleaned{n, nil}, exited{n, Exit{Code: 1}}, froze{n, true, err}, froze{n, false, nil},
		counted{n, 0, nil}, counted{n, 1, err}, steerFailed{n, 7, err},
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
	if !out(freeze{}) {
		w.nothingFollows(froze{n, true, err}, froze{n, true, nil}, froze{n, false, err}, froze{n, false, nil})
	}
	if !out(count{}) {
		w.nothingFollows(counted{n, 0, nil}, counted{n, 1, nil}, counted{n, 0, err})
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

// deploy draws a deployment. Its policy keeps the number of launches.
func (w *model) deploy(arg int) askDeploy {
	w.revisions++
	d := Deployment{
		Revision: fmt.Sprint("r", w.revisions), Policy: w.m.policy,
		Until: DeployUntil(arg>>4) % 3, Canary: arg >> 6 * 50, CanaryFor: time.Second,
	}
	launches := d.Policy.Launches
	if arg > 100 {
		w.setTraffic(&d.Policy)
	}
	d.Policy.Launches = launches
	return askDeploy{w.somebody(), d}
}

// nextImage hands a machine that is not busy over to another image of the program: calls that nobody waits for any
// more, and those who wait for answers, are not there any more.
func (w *model) nextImage() {
	if w.finished || w.m.busy() != "" || len(w.failures) > 0 {
		return
	}
	text, err := json.Marshal(w.m.save(w.now))
	var s State
	if err := errors.Join(err, json.Unmarshal(text, &s), s.Check()); err != nil {
		w.failf("%s: %v", text, err)
	}
	g := Gateway{Name: "web", Resume: &s}
	if w.m.steers {
		g.Traffic = &noTraffic{}
	}
	before := w.m
	w.m = resumed(w.now, g, before.random)
	if was, is := before.nextDeadline(), w.m.nextDeadline(); !was.Equal(is) || before.steering.serving != w.m.steering.serving || !slices.Equal(before.history.tries, w.m.history.tries) {
		w.failf("%s: deadline %v, was %v", text, is, was)
	}
	w.calls = nil
	clear(w.asked)
	w.trace = append(w.trace, "another image: "+string(text))
	w.step(tick{})
}

// bringUp starts the gateway in a world in which everything works from now on: it comes to serve, with the standby
// that it is to have, and nothing left to do.
func (w *model) bringUp() {
	if w.finished || w.m.leaves() {
		return
	}
	w.connections = 0
	w.step(askStart{w.somebody()})
	for range 3000 {
		m := w.m
		stands := m.policy.Standby.Mode == NoStandby || m.standby != nil && !m.standby.stoodAt.IsZero()
		if m.phase == Ready && m.doing == nil && !m.proving && stands {
			return
		}
		w.work()
	}
	w.failf("it does not come up: %s, %+v", w.m.phase, w.m.snapshot().Status)
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
