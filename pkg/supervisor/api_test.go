package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
	"github.com/google/go-cmp/cmp"
)

func TestAddRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		w.add("web", newFake(), probing())
		for _, g := range []supervisor.Gateway{
			{Name: "", Launcher: newFake()},
			{Name: "x"},
			{Name: "x", Launcher: newFake(), Policy: probing()}, // no prober
			{Name: "web", Launcher: newFake()},
		} {
			if err := w.Add(g); err == nil {
				t.Errorf("added %+v", g)
			}
		}
		err := w.Reconfigure(context.Background(), "other", "b", probing())
		if !errors.Is(err, supervisor.ErrUnknownGateway) {
			t.Error(err)
		}
	})
}

func TestStoppedGatewayIsNotLaunched(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		err := w.Add(supervisor.Gateway{Name: "web", Launcher: f, Stopped: true, NextLaunch: 7})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if s := w.status("web"); s.Phase != supervisor.Stopped || !s.Settled || s.Launch != 0 || len(f.seen()) > 0 {
			t.Errorf("%+v %v", s, f.seen())
		}
		if _, err := w.within(time.Minute, func(ctx context.Context) error { return w.Start(ctx, "web") }); err != nil {
			t.Error(err)
		}
		if s := w.status("web"); s.Launch != 7 {
			t.Errorf("%+v", s)
		}
	})
}

func TestStartTellsTheFirstCause(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("start", func(_ context.Context, n int) error { f.exit(n, supervisor.Exit{Code: 127}); return nil })
		w.add("web", f, probing())
		f.set("probe", hang)
		err := w.Restart(context.Background(), "web")
		var exit *supervisor.ExitError
		if !errors.As(err, &exit) || exit.Code != 127 {
			t.Error(err)
		}
	})
}

// Who does not wait any longer learns what it waited for; the request goes on.
func TestWaiterGoesAway(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("probe", fails(errors.New("status 503")))
		w.add("web", f, probing())
		took, err := w.within(3*time.Second, func(ctx context.Context) error { return w.Start(ctx, "web") })
		if took != 3*time.Second || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "503") {
			t.Error(took, err)
		}
		f.set("probe", nil)
		time.Sleep(2 * time.Second)
		w.wantPhase("web", supervisor.Ready)
	})
}

func TestStopSupersedesStart(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("prepare", hang)
		w.add("web", f, probing())
		started := make(chan error, 1)
		go func() { started <- w.Start(context.Background(), "web") }()
		synctest.Wait()
		if err := w.Stop(context.Background(), "web"); err != nil {
			t.Error(err)
		}
		if err := <-started; !errors.Is(err, supervisor.ErrSuperseded) {
			t.Error(err)
		}
	})
}

func TestRemoveInBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("prepare", fails(errors.New("no")))
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Backoff)
		if took, err := w.within(time.Minute, func(ctx context.Context) error { return w.Remove(ctx, "web") }); took != 0 || err != nil {
			t.Error(took, err)
		}
		if err := w.Start(context.Background(), "web"); !errors.Is(err, supervisor.ErrUnknownGateway) {
			t.Error(err)
		}
		if len(w.Status()) > 0 {
			t.Error("it is still listed")
		}
		again := newFake()
		w.add("web", again, probing())
		w.wantPhase("web", supervisor.Ready)
		time.Sleep(time.Hour)
		if f.count("prepare 2") > 0 {
			t.Error("what was removed is launched")
		}
	})
}

// What Clean cannot remove of a removed gateway keeps its loop, but not its name.
func TestRemoveWithLeftovers(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Ready)
		busy := errors.New("remove rootfs: busy")
		f.set("clean", fails(busy))
		if _, err := w.within(time.Minute, func(ctx context.Context) error { return w.Remove(ctx, "web") }); !errors.Is(err, busy) {
			t.Error(err)
		}
		other := newFake()
		w.add("web", other, probing())
		w.wantPhase("web", supervisor.Ready)
		time.Sleep(time.Hour)
		if tries := f.count("clean 1"); tries < 60 || tries > 70 {
			t.Errorf("%d tries of Clean in an hour", tries)
		}
		if s := w.status("web"); len(s.Leftovers) > 0 {
			t.Error("leftovers of another gateway:", s.Leftovers)
		}
	})
}

func TestRestartWhileStarting(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("probe", func(ctx context.Context, n int) error {
			if n == 1 {
				return errors.New("not yet")
			}
			return nil
		})
		w.add("web", f, probing())
		time.Sleep(time.Second)
		if took, err := w.within(time.Minute, func(ctx context.Context) error { return w.Restart(ctx, "web") }); took != 0 || err != nil {
			t.Error(took, err)
		}
		if s := w.status("web"); s.Launch != 2 || s.Restarts != 0 || s.Failures != 0 || s.Cause != nil {
			t.Errorf("%+v", s)
		}
	})
}

func TestReconfigure(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("prepare", fails(supervisor.ErrPermanent))
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Failed)
		time.Sleep(time.Hour)
		f.set("prepare", nil)
		reconfigure := func(revision string) {
			if err := w.Reconfigure(context.Background(), "web", revision, probing()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if s := w.status("web"); f.revision != revision || s.Revision != revision || s.Phase != supervisor.Ready {
				t.Errorf("revision %s; %+v", f.revision, s)
			}
		}
		reconfigure("b")
		reconfigure("c")
		if err := w.Stop(context.Background(), "web"); err != nil {
			t.Error(err)
		}
		if err := w.Reconfigure(context.Background(), "web", "d", probing()); err != nil {
			t.Error(err)
		}
		w.wantPhase("web", supervisor.Stopped)
	})
}

func TestHurry(t *testing.T) {
	for name, hurry := range map[string]func(world){
		"hurry":       func(w world) { w.Hurry() },
		"second stop": func(w world) { w.Stop(context.Background(), "web") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				f := newFake()
				f.set("signal", hang) // and no exit
				w.add("web", f, probing())
				w.wantPhase("web", supervisor.Ready)
				w.Hurry() // nothing to hurry
				w.wantPhase("web", supervisor.Ready)
				go func() {
					time.Sleep(time.Second)
					hurry(w)
				}()
				took, err := w.within(time.Minute, func(ctx context.Context) error { return w.Stop(ctx, "web") })
				if took != time.Second || err != nil || f.count("kill 1") != 1 {
					t.Error(took, err, f.seen())
				}
			})
		})
	}
}

func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		busy := errors.New("remove rootfs: busy")
		clean, dirty := newFake(), newFake()
		dirty.set("clean", fails(busy))
		w.add("clean", clean, probing())
		w.add("dirty", dirty, probing())
		w.wantPhase("clean", supervisor.Ready)
		w.wantPhase("dirty", supervisor.Ready)
		if took, err := w.within(time.Minute, w.Shutdown); took != 0 || !errors.Is(err, busy) {
			t.Error(took, err)
		}
		w.wantPhase("clean", supervisor.Stopped)
		if s := w.status("dirty"); s.Phase != supervisor.Stopped || len(s.Leftovers) != 1 {
			t.Errorf("%+v", s)
		}
		if err := w.Add(supervisor.Gateway{Name: "x", Launcher: clean}); !errors.Is(err, supervisor.ErrShutdown) {
			t.Error(err)
		}
		if err := w.Start(context.Background(), "clean"); !errors.Is(err, supervisor.ErrUnknownGateway) {
			t.Error(err)
		}
		if err := errors.Join(w.Shutdown(context.Background()), w.Answers(context.Background())); err != nil {
			t.Error("again:", err)
		}
	})
}

// Shutdown whose context ends says what is waited for, and stopping goes on.
func TestShutdownGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("clean", fails(supervisor.ErrRunning))
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Ready)
		took, err := w.within(5*time.Second, w.Shutdown)
		if took != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, supervisor.ErrRunning) {
			t.Error(took, err)
		}
		w.wantPhase("web", supervisor.Stopping)
		f.set("clean", nil)
		if _, err := w.within(time.Hour, w.Shutdown); err != nil {
			t.Error(err)
		}
	})
}

func TestChanged(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Ready)
		<-w.Changed()
		time.Sleep(time.Hour) // and 3600 good probes
		select {
		case <-w.Changed():
			t.Error("changed again, by nothing")
		default:
		}
		f.set("probe", fails(errors.New("connection refused")))
		<-w.Changed()
		f.exit(1, supervisor.Exit{})
		<-w.Changed()
	})
}

// The events of a launch, in order and with their lengths.
func TestEvents(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("prepare", func(context.Context, int) error { time.Sleep(20 * time.Millisecond); return nil })
		p := supervisor.Policy{Restart: supervisor.RestartPolicy{Mode: supervisor.Never}}
		w.add("web", f, p)
		time.Sleep(time.Second)
		f.exit(1, supervisor.Exit{Code: 2})
		synctest.Wait()
		var kinds []string
		for _, e := range w.events {
			kinds = append(kinds, string(e.Kind)+" "+e.After.String())
		}
		want := []string{
			"launch-preparing 0s", "launch-created 20ms", "launch-started 0s", "launch-ready 20ms",
			"launch-ended 1s", "gateway-ended 0s", "launch-cleaned 0s",
		}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Error(diff)
		}
	})
}
