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

// configuration is how a program ends that cannot work with what it was given.
var configuration = supervisor.Exit{Code: 78}

// held is a world in which web is held, and its Launcher.
func held(w world) *fake {
	f := newFake()
	w.serving(f, probing())
	f.exit(1, configuration)
	synctest.Wait()
	w.wantPhase("web", supervisor.Held)
	return f
}

// Nothing is launched for as long as nothing changes; then something is at once.
func TestHoldUntilAChange(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := held(w)
		time.Sleep(24 * time.Hour)
		if n := f.count("prepare 2"); n > 0 {
			t.Error("it was launched")
		}
		began := time.Now()
		w.Changed("other", "source") // is nobody
		w.Changed("web", "source")
		w.wantPhase("web", supervisor.Ready)
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
		if s := w.status("web"); s.Launch != 2 || s.Failures > 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A hold goes on under another image of the program, and ends there in the same way.
func TestResumedHold(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		held(w)
		time.Sleep(time.Minute) // Clean has answered
		before := w.status("web")
		f := newFake()
		next := w.next(w.suspend(), f)
		after := next.status("web")
		if after.Phase != supervisor.Held || !after.Since.Equal(before.Since) || after.Cause.Error() != "exited with code 78" {
			t.Errorf("%+v", after)
		}
		time.Sleep(time.Hour)
		next.Changed("web", "configuration")
		next.wantPhase("web", supervisor.Ready)
		w.Continue()
		next.end()
	})
}

// A program that is started again goes on with a hold that it has written down.
func TestHoldOfAnEarlierRun(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f, since := newFake(), time.Now().Add(-time.Hour)
		err := w.Add(supervisor.Gateway{
			Name: "web", Policy: probing(), Launcher: f, Prober: f,
			Held: &supervisor.Hold{Cause: errors.New("bad configuration"), Since: since},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		s := w.status("web")
		if s.Phase != supervisor.Held || !s.Since.Equal(since) || !s.CauseAt.Equal(since) || s.Cause.Error() != "bad configuration" || !s.Settled || len(f.seen()) > 0 {
			t.Errorf("%+v %v", s, f.seen())
		}
		if _, err := w.within(time.Minute, func(ctx context.Context) error { return w.Start(ctx, "web") }); err != nil {
			t.Error(err)
		}
		w.wantPhase("web", supervisor.Ready)
	})
}

func TestUnknownActionOfARule(t *testing.T) {
	f := newFake()
	p := supervisor.Policy{Restart: supervisor.RestartPolicy{On: []supervisor.RestartRule{{Action: "ignore"}}}}
	err := supervisor.New(nil).Add(supervisor.Gateway{Name: "web", Policy: p, Launcher: f})
	if err == nil || !strings.Contains(err.Error(), `"ignore"`) {
		t.Error(err)
	}
}
