package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// warm is a policy with everything: a warm standby, drains and a time in which a revision is provisional.
func warm() supervisor.Policy {
	p := probing()
	p.Overlap = true
	p.Standby = supervisor.StandbyPolicy{Mode: supervisor.WarmStandby, Check: 5 * time.Minute, MaxAge: 6 * time.Hour}
	p.Deploy = supervisor.DeployPolicy{Drain: 30 * time.Second, Confirm: 5 * time.Minute}
	return p
}

// serving adds a gateway with traffic, and waits until it serves and has its standby.
func (w world) serving(f *fake, p supervisor.Policy) {
	w.t.Helper()
	err := w.Add(supervisor.Gateway{Name: "web", Revision: "a", Policy: p, Launcher: f, Prober: f, Traffic: f})
	if err != nil {
		w.t.Fatal(err)
	}
	w.wantPhase("web", supervisor.Ready)
}

func TestTakeOver(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.serving(f, warm())
		if s := w.status("web").Standby; s == nil || s.Launch != 2 || s.State != "frozen" || s.Next.IsZero() {
			t.Fatalf("%+v", s)
		}
		time.Sleep(time.Minute + time.Second/2) // between two probes
		before := len(f.seen())
		f.exit(1, supervisor.Exit{Code: 1})
		s := w.status("web")
		if s.Phase != supervisor.Ready || s.Launch != 2 || s.Restarts != 1 || s.Standby.Launch != 3 {
			t.Errorf("%+v %+v", s, s.Standby)
		}
		since := f.seen()[before:]
		if since[0] != "switch 2 100" || !slices.Contains(since, "thaw 2") || slices.Contains(since, "start 2") {
			t.Errorf("new connections come first: %v", since)
		}
		if took := w.of(supervisor.TookOver); len(took) != 1 || took[0].After != 0 || took[0].Launch != 2 {
			t.Errorf("%+v", took)
		}
	})
}

// What clears the last launch away waits until the next one is ready, but not for one that hangs.
func TestTakeOverComesBeforeCleaning(t *testing.T) {
	for mode, call := range map[supervisor.StandbyMode]string{supervisor.WarmStandby: "thaw", supervisor.CreatedStandby: "probe"} {
		bubble(t, func(t *testing.T, w world) {
			f := newFake()
			p := warm()
			p.Standby.Mode = mode
			w.serving(f, p)
			for n := 1; n <= 2; n++ { // the first that takes over does so late, the second one never
				time.Sleep(time.Minute + time.Second/2)
				release := make(chan struct{})
				f.set(call, func(context.Context, int) error { <-release; return nil })
				f.exit(n, supervisor.Exit{Code: 1})
				synctest.Wait()
				clean := fmt.Sprintf("clean %d", n)
				if f.count(clean) != 0 {
					t.Errorf("%s comes before %s", clean, call)
				}
				if n == 1 {
					close(release)
					synctest.Wait()
					if f.count(clean) != 0 {
						t.Errorf("%s comes before those are answered that have waited for %s", clean, call)
					}
					time.Sleep(20 * time.Millisecond)
				} else {
					time.Sleep(time.Second)
					defer close(release)
				}
				if f.count(clean) != 1 {
					t.Errorf("%s does not come after %s, or beside one that hangs", clean, call)
				}
			}
		})
	}
}

// A day of checks and renewals, of which the serving launch knows nothing.
func TestStandbyForADay(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.serving(f, warm())
		time.Sleep(24 * time.Hour)
		s := w.status("web")
		if s.Launch != 1 || s.Restarts != 0 || s.Phase != supervisor.Ready || s.Standby.Launch != 6 {
			t.Errorf("%+v %+v", s, s.Standby)
		}
		if thaws := f.countOf("thaw "); thaws < 270 || thaws > 290 {
			t.Errorf("%d checks in a day", thaws)
		}
		if kills := f.countOf("kill "); kills != 4 {
			t.Errorf("%d renewed in a day", kills)
		}
		if changes := f.countOf("switch "); changes != 1 {
			t.Errorf("traffic was changed %d times", changes)
		}
	})
}

// One that can never be made costs a Prepare a minute, and its cause is shown.
func TestStandbyNeverComes(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		broken := errors.New("no space left on device")
		f.set("prepare", func(_ context.Context, n int) error {
			if n == 1 {
				return nil
			}
			return broken
		})
		w.serving(f, warm())
		time.Sleep(time.Hour)
		s := w.status("web")
		if s.Launch != 1 || s.Failures != 0 || !errors.Is(s.Standby.Err, broken) || !s.Standby.Next.After(time.Now()) {
			t.Errorf("%+v %+v", s, s.Standby)
		}
		if tries := f.countOf("prepare "); tries < 60 || tries > 70 {
			t.Errorf("%d tries in an hour", tries)
		}
	})
}

// Steering that fails is said, shown, and tried again until it works.
func TestSteeringFails(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		refused := errors.New("setsockopt: operation not permitted")
		f.set("switch", fails(refused))
		w.serving(f, warm())
		time.Sleep(5 * time.Second)
		if s := w.status("web"); !errors.Is(s.Steering, refused) {
			t.Errorf("%+v", s)
		}
		f.set("switch", nil)
		time.Sleep(5 * time.Second)
		if s := w.status("web"); s.Steering != nil {
			t.Errorf("%+v", s)
		}
		if said, tried := len(w.of(supervisor.SteeringFailed)), f.count("switch 1 100"); said != 3 || tried != 4 {
			t.Errorf("%d failures are told, of %d tries", said, tried)
		}
	})
}

// Freeze and InFlight that never come back hold up neither this gateway nor the whole.
func TestHungTrafficDelaysNobody(t *testing.T) {
	for _, call := range []string{"freeze", "thaw", "inflight"} {
		t.Run(call, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				f := newFake()
				release := make(chan struct{})
				f.set(call, func(context.Context, int) error { <-release; return nil })
				w.serving(f, warm())
				time.Sleep(time.Minute)
				f.exit(1, supervisor.Exit{Code: 1})
				time.Sleep(time.Minute)
				w.wantPhase("web", supervisor.Ready)
				if _, err := w.deploy("b", warm(), supervisor.Switched); err != nil {
					t.Error(err)
				}
				if took, err := w.within(time.Second, w.Answers); took != 0 || err != nil {
					t.Error(took, err)
				}
				if _, err := w.within(time.Hour, w.Shutdown); err != nil {
					t.Error(err)
				}
				close(release)
				synctest.Wait()
			})
		})
	}
}
