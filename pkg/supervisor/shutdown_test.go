package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

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
		<-w.Changes()
		time.Sleep(time.Hour) // and 3600 good probes
		select {
		case <-w.Changes():
			t.Error("changed again, by nothing")
		default:
		}
		f.set("probe", fails(errors.New("connection refused")))
		<-w.Changes()
		f.exit(1, supervisor.Exit{})
		<-w.Changes()
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
