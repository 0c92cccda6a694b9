package supervisor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Adopt makes the fake the Launcher of another image.
func (f *fake) Adopt(n int) (<-chan supervisor.Exit, error) {
	if err := f.call(context.WithoutCancel(context.Background()), "adopt", n); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exits[n] = make(chan supervisor.Exit, 1)
	return f.exits[n], nil
}

// suspend holds w, and returns the states as another image reads them.
func (w world) suspend() map[string]*supervisor.State {
	w.t.Helper()
	var states map[string]supervisor.State
	_, err := w.within(time.Minute, func(ctx context.Context) (err error) {
		states, err = w.Suspend(ctx)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := json.Marshal(states)
	if err != nil {
		w.t.Fatal(err)
	}
	var read map[string]*supervisor.State
	if err := json.Unmarshal(text, &read); err != nil {
		w.t.Fatal(err)
	}
	return read
}

// next is another image, which goes on with the states by the Launcher f.
func (w world) next(states map[string]*supervisor.State, f *fake) world {
	w.t.Helper()
	next := world{supervisor.New(w.observe), w.record, w.t}
	for name, state := range states {
		if err := next.Add(supervisor.Gateway{Name: name, Launcher: f, Prober: f, Resume: state}); err != nil {
			w.t.Fatal(err)
		}
	}
	return next
}

func (w world) end() {
	w.within(time.Hour, w.Shutdown)
}

// A ready gateway goes on under another image as if nothing had been: the same status, no call but its probes.
func TestResume(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		old, f := newFake(), newFake()
		w.add("web", old, probing())
		w.wantPhase("web", supervisor.Ready)
		old.exit(1, supervisor.Exit{Code: 3})
		time.Sleep(time.Hour + 500*time.Millisecond) // half of an interval is left
		before := w.status("web")
		next := w.next(w.suspend(), f)
		after := next.status("web")
		if before.Cause.Error() != after.Cause.Error() {
			t.Errorf("cause %v, was %v", after.Cause, before.Cause)
		}
		var exit *supervisor.ExitError
		if !errors.As(after.Cause, &exit) || exit.Code != 3 {
			t.Errorf("the cause is %#v", after.Cause)
		}
		before.Cause, after.Cause = nil, nil
		if diff := cmp.Diff(before, after); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"adopt 2", "probe 2"}, f.seen()); diff != "" {
			t.Error(diff)
		}
		w.Continue()
		next.end()
	})
}

// The end of a program that an earlier image has started is the same as ever: its status counts, and the numbers go on.
func TestResumedProgramEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("web", newFake(), probing())
		w.wantPhase("web", supervisor.Ready)
		next := w.next(w.suspend(), f)
		synctest.Wait()
		f.exit(1, supervisor.Exit{Code: 7})
		time.Sleep(time.Second)
		s := next.status("web")
		if s.Phase != supervisor.Ready || s.Launch != 2 || s.Restarts != 1 || s.Cause == nil || s.Cause.Error() != "exited with code 7" {
			t.Errorf("%+v", s)
		}
		w.Continue()
		next.end()
	})
}

// A backoff goes on for what is left of it.
func TestResumedBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		p := probing()
		p.Restart.Delay = time.Minute
		p.Restart.MaxDelay = time.Hour
		old, f := newFake(), newFake()
		old.set("start", fails(errors.New("no")))
		w.add("web", old, p)
		w.wantPhase("web", supervisor.Backoff)
		time.Sleep(20 * time.Second)
		next := w.next(w.suspend(), f)
		if s := next.status("web"); s.Phase != supervisor.Backoff || s.Failures != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(39 * time.Second)
		next.wantPhase("web", supervisor.Backoff)
		time.Sleep(2 * time.Second)
		next.wantPhase("web", supervisor.Ready)
		w.Continue()
		next.end()
	})
}

// A stop that holds is not forgotten.
func TestResumedStop(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		w.add("web", newFake(), probing())
		w.wantPhase("web", supervisor.Ready)
		w.within(time.Minute, func(ctx context.Context) error { return w.Stop(ctx, "web") })
		f := newFake()
		next := w.next(w.suspend(), f)
		next.wantPhase("web", supervisor.Stopped)
		if _, err := next.within(time.Minute, func(ctx context.Context) error { return next.Start(ctx, "web") }); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"prepare 2", "start 2", "probe 2"}, f.seen()); diff != "" {
			t.Error(diff)
		}
		w.Continue()
		next.end()
	})
}

// What a Launcher cannot go on with has ended, and is followed as ever.
func TestResumeWithoutAdoption(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		w.add("web", newFake(), probing())
		w.wantPhase("web", supervisor.Ready)
		f := newFake()
		f.set("adopt", fails(errors.New("it is gone")))
		next := w.next(w.suspend(), f)
		time.Sleep(time.Second)
		if s := next.status("web"); s.Launch != 2 || s.Phase != supervisor.Ready || !strings.Contains(s.Cause.Error(), "it is gone") {
			t.Errorf("%+v", s)
		}
		if f.count("clean 1") != 1 {
			t.Errorf("%v", f.seen())
		}
		w.Continue()
		next.end()
	})
}

// Nothing is held while a launch is on its way, and the error says whose. Afterwards everything goes on.
func TestSuspendWaits(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("calm", newFake(), probing())
		f.set("start", hang)
		w.add("web", f, probing())
		took, err := w.within(5*time.Second, func(ctx context.Context) error { _, err := w.Suspend(ctx); return err })
		if took != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fmt.Sprint(err), "suspend web: still starting launch 1") {
			t.Errorf("after %v: %v", took, err)
		}
		f.set("start", nil)
		time.Sleep(time.Minute)
		w.wantPhase("web", supervisor.Ready)
		w.suspend()
		w.Continue()
		if _, err := w.within(time.Minute, func(ctx context.Context) error { return w.Restart(ctx, "calm") }); err != nil {
			t.Error(err)
		}
	})
}

// A canary is waited for unless that is in vain: then it is said at once, also of one that begins meanwhile.
func TestSuspendInACanary(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.serving(f, warm())
		w.add("slow", newFake(), probing())
		f.set("start", func(context.Context, int) error { time.Sleep(3 * time.Second); return nil })
		if err := w.Deploy(t.Context(), "web", supervisor.Deployment{Revision: "b", Policy: warm(), Canary: 10, CanaryFor: time.Minute}); err != nil {
			t.Fatal(err)
		}
		suspend := func(ctx context.Context) error { _, err := w.Suspend(ctx); return err }
		for _, c := range []struct {
			took time.Duration
			says string
		}{{3 * time.Second, "for another 1m0s"}, {0, "for another 1m0s"}} {
			took, err := w.within(15*time.Second, suspend)
			if took != c.took || err == nil || !strings.Contains(err.Error(), "suspend web: deploying revision b, canary, "+c.says) {
				t.Errorf("after %v: %v", took, err)
			}
		}
		f.set("start", nil)
		time.Sleep(50 * time.Second)
		if took, err := w.within(15*time.Second, suspend); took < 10*time.Second || took > 11*time.Second || err != nil { // and a little, for the drain
			t.Errorf("after %v: %v", took, err)
		}
		w.Continue()
		if s := w.status("web"); s.Revision != "b" {
			t.Errorf("%+v", s)
		}
	})
}

// One that is removed meanwhile is waited for, and then is in no state.
func TestSuspendBesideARemoval(t *testing.T) {
	for range 20 { // chance decides whether the question still reaches the loop that has ended
		bubble(t, func(t *testing.T, w world) {
			f := newFake()
			f.set("clean", func(context.Context, int) error { time.Sleep(3 * time.Second); return nil })
			w.add("web", f, probing())
			w.add("calm", newFake(), probing())
			w.wantPhase("web", supervisor.Ready)
			go w.Remove(context.Background(), "web")
			synctest.Wait()
			states := w.suspend()
			w.Continue()
			if states["web"] != nil || states["calm"] == nil {
				t.Errorf("states: %v", states)
			}
		})
	}
}

// While a gateway is held nothing of it is asked, and the end of its program waits.
func TestHeld(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Ready)
		w.suspend()
		before := len(f.seen())
		f.exit(1, supervisor.Exit{Code: 1})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if seen := f.seen(); len(seen) != before {
			t.Errorf("asked meanwhile: %v", seen[before:])
		}
		w.Continue()
		time.Sleep(time.Second)
		if s := w.status("web"); s.Launch != 2 || s.Phase != supervisor.Ready {
			t.Errorf("%+v", s)
		}
	})
}

func TestStateThatContradictsItself(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       `{}`,
		"phase":         `{"phase":"happy","next":1}`,
		"numbers":       `{"phase":"ready","last":3,"next":3}`,
		"launch":        `{"phase":"ready","last":3,"next":4,"launches":[{"n":4,"state":"ready"}]}`,
		"order":         `{"phase":"ready","last":3,"next":4,"launches":[{"n":2,"state":"ready"},{"n":2,"state":"ready"}]}`,
		"launch's":      `{"phase":"ready","last":3,"next":4,"launches":[{"n":3,"state":"preparing"}]}`,
		"current":       `{"phase":"ready","last":3,"next":4,"current":2,"launches":[{"n":3,"state":"ready"}]}`,
		"goal":          `{"phase":"ready","goal":9,"last":0,"next":1}`,
		"negative goal": `{"phase":"ready","goal":-1,"last":0,"next":1}`,
	} {
		var s supervisor.State
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Check(); err == nil {
			t.Errorf("%s: no fault found", name)
		}
	}
}
