package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
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
		err := w.Deploy(context.Background(), "other", supervisor.Deployment{Revision: "b", Policy: probing()})
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

// Nobody who looks right after Add takes a new gateway for a stopped one.
func TestStartingFromTheFirstMoment(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("prepare", hang)
		w.add("web", f, probing())
		if s := w.Status()[0]; s.Phase != supervisor.Starting || s.Settled {
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

func TestDeployOfNewConfiguration(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("prepare", fails(supervisor.ErrPermanent))
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Failed)
		time.Sleep(time.Hour)
		f.set("prepare", nil)
		deploy := func(revision string) {
			if err := w.Deploy(context.Background(), "web", supervisor.Deployment{Revision: revision, Policy: probing()}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if s := w.status("web"); f.revision != revision || s.Revision != revision || s.Phase != supervisor.Ready {
				t.Errorf("revision %s; %+v", f.revision, s)
			}
		}
		deploy("b")
		deploy("c")
		if err := w.Stop(context.Background(), "web"); err != nil {
			t.Error(err)
		}
		if err := w.Deploy(context.Background(), "web", supervisor.Deployment{Revision: "d", Policy: probing()}); err != nil {
			t.Error(err)
		}
		w.wantPhase("web", supervisor.Stopped)
	})
}
