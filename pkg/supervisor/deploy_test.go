package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// deploy deploys a revision and returns how long that took.
func (w world) deploy(revision string, p supervisor.Policy, until supervisor.DeployUntil) (time.Duration, error) {
	return w.within(time.Hour, func(ctx context.Context) error {
		return w.Deploy(ctx, "web", supervisor.Deployment{Revision: revision, Policy: p, Until: until, Why: "command"})
	})
}

// A launch whose drain is over drains no more.
func TestDrainIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.inFlight(3)
		w.serving(f, warm())
		f.set("signal", func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() })
		if _, err := w.deploy("b", warm(), supervisor.Switched); err != nil {
			t.Error(err)
		}
		time.Sleep(29 * time.Second)
		if s := w.status("web"); len(s.Draining) != 1 || s.Draining[0].Asked {
			t.Errorf("within the drain: %+v", s.Draining)
		}
		time.Sleep(1500 * time.Millisecond)
		if s := w.status("web"); len(s.Draining) != 1 || !s.Draining[0].Asked {
			t.Errorf("after the drain: %+v", s.Draining)
		}
	})
}

func TestDeployIsProved(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.inFlight(3)
		w.serving(f, warm())
		took, err := w.deploy("b", warm(), supervisor.Proved)
		if took != 3*time.Second || err != nil {
			t.Error(took, err)
		}
		s := w.status("web")
		if s.Revision != "b" || s.Previous != "a" || s.Deploying != nil || time.Until(s.Provisional) != 5*time.Minute-3*time.Second {
			t.Errorf("%+v", s)
		}
		if len(s.Draining) != 1 || s.Draining[0].Launch != 1 || s.Draining[0].InFlight != 3 {
			t.Errorf("%+v", s.Draining)
		}
		time.Sleep(40 * time.Second)
		s = w.status("web")
		if len(s.Draining) != 0 || s.Drained.Launch != 1 || s.Drained.Cut != 3 || f.count("signal 1") != 1 {
			t.Errorf("%+v %+v", s.Draining, s.Drained)
		}
		time.Sleep(5 * time.Minute)
		if s = w.status("web"); !s.Provisional.IsZero() || s.Previous != "" || len(w.of(supervisor.DeployConfirmed)) != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// The old launch is asked to end as soon as it has nothing left.
func TestDrainEndsWithTheLastConnection(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.inFlight(1)
		w.serving(f, warm())
		if _, err := w.deploy("b", warm(), supervisor.Switched); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if f.count("signal 1") != 0 {
			t.Error("it was asked to end in its drain")
		}
		f.inFlight(0)
		time.Sleep(100 * time.Millisecond)
		if s := w.status("web"); f.count("signal 1") != 1 || s.Drained.Launch != 1 || s.Drained.Cut != 0 {
			t.Errorf("%+v", s.Drained)
		}
	})
}

// A deploy that comes to nothing changes nothing.
func TestDeployFails(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.serving(f, warm())
		broken := errors.New("no such source")
		f.set("prepare", func(_ context.Context, n int) error {
			if n == 3 {
				return broken
			}
			return nil
		})
		took, err := w.deploy("b", warm(), supervisor.Proved)
		if took != 0 || !errors.Is(err, broken) || !strings.Contains(err.Error(), "launch 3") {
			t.Error(took, err)
		}
		s := w.status("web")
		if s.Phase != supervisor.Ready || s.Launch != 1 || s.Revision != "a" || s.Standby.Launch != 4 || s.Deploying != nil {
			t.Errorf("%+v %+v", s, s.Standby)
		}
	})
}

func TestDeployInCanary(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.serving(f, warm())
		done := make(chan error, 1)
		go func() {
			done <- w.Deploy(context.Background(), "web", supervisor.Deployment{
				Revision: "b", Policy: warm(), Canary: 10, CanaryFor: time.Minute, Until: supervisor.Switched,
			})
		}()
		time.Sleep(30 * time.Second)
		d := w.status("web").Deploying
		if d == nil || d.Stage != supervisor.DeployInCanary || d.Canary != 10 || d.Launch != 3 || d.Revision != "b" {
			t.Fatalf("%+v", d)
		}
		f.exit(1, supervisor.Exit{Code: 1})
		if err := <-done; err != nil {
			t.Error(err)
		}
		if s := w.status("web"); s.Launch != 3 || s.Phase != supervisor.Ready || s.Revision != "b" {
			t.Errorf("%+v", s)
		}
		if f.count("switch 3 10") != 1 || f.count("switch 3 100") != 1 {
			t.Error(f.seen())
		}
	})
}

func TestRollBack(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.serving(f, warm())
		done := make(chan error, 1)
		go func() {
			_, err := w.deploy("b", warm(), supervisor.Proved)
			done <- err
		}()
		for range 3 {
			time.Sleep(time.Second)
			f.exit(w.status("web").Launch, supervisor.Exit{Code: 7})
		}
		err := <-done
		var exit *supervisor.ExitError
		if !errors.Is(err, supervisor.ErrRolledBack) || !errors.As(err, &exit) || exit.Code != 7 {
			t.Error(err)
		}
		s := w.status("web")
		if s.Revision != "a" || f.revision != "a" || s.Phase != supervisor.Ready || s.RolledBack == nil || s.RolledBackAt.IsZero() {
			t.Errorf("%+v", s)
		}
		if _, err := w.deploy("c", warm(), supervisor.Switched); err != nil {
			t.Error(err)
		}
		if s = w.status("web"); s.RolledBack != nil || s.Revision != "c" {
			t.Errorf("%+v", s)
		}
	})
}

// A gateway that is stopped takes the revision for its next start; nobody can wait for more.
func TestDeployOfAStoppedGateway(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.serving(f, warm())
		if err := w.Stop(context.Background(), "web"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.deploy("b", warm(), supervisor.Proved); !errors.Is(err, supervisor.ErrStopped) {
			t.Error(err)
		}
		if _, err := w.deploy("b", warm(), supervisor.Taken); err != nil {
			t.Error(err)
		}
		if s := w.status("web"); s.Phase != supervisor.Stopped || s.Revision != "b" {
			t.Errorf("%+v", s)
		}
	})
}

// Who stops waiting for a deploy learns how far it is; it goes on.
func TestDeployTakesTooLong(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.serving(f, warm())
		f.set("start", hang)
		_, err := w.within(time.Second, func(ctx context.Context) error {
			return w.Deploy(ctx, "web", supervisor.Deployment{Revision: "b", Policy: warm(), Until: supervisor.Switched})
		})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still deploying revision b, starting") {
			t.Error(err)
		}
		f.set("start", nil)
		time.Sleep(time.Minute)
		if s := w.status("web"); s.Revision != "a" || s.Phase != supervisor.Ready {
			t.Errorf("%+v", s)
		}
	})
}

// Shutdown waits for no drain.
func TestShutdownInADrain(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.inFlight(9)
		w.serving(f, warm())
		if _, err := w.deploy("b", warm(), supervisor.Switched); err != nil {
			t.Fatal(err)
		}
		if took, err := w.within(time.Hour, w.Shutdown); took != 0 || err != nil {
			t.Error(took, err)
		}
	})
}
