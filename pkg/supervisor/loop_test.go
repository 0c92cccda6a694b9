package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

func TestFromLaunchToStop(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Ready)
		if _, err := w.within(time.Minute, func(ctx context.Context) error { return w.Stop(ctx, "web") }); err != nil {
			t.Fatal(err)
		}
		want := []string{"prepare 1", "start 1", "probe 1", "signal 1", "clean 1"}
		if diff := cmp.Diff(want, f.seen()); diff != "" {
			t.Error(diff)
		}
		if len(f.missing) > 0 {
			t.Error("calls without a deadline:", f.missing)
		}
		if s := w.status("web"); s.Phase != supervisor.Stopped || s.Cause != nil || s.Restarts != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// The next launch is prepared while the old one is cleaned, and neither waits for the other.
func TestCleanBesidePrepare(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Ready)
		time.Sleep(time.Hour)
		f.set("clean", hang)
		f.set("prepare", hang)
		crashed := time.Now()
		f.exit(1, supervisor.Exit{Code: 3})
		synctest.Wait()
		if f.count("clean 1") != 1 || f.count("prepare 2") != 1 {
			t.Errorf("not both at once: %v", f.seen())
		}
		if s := w.status("web"); s.Phase != supervisor.Starting || s.Launch != 2 || s.Restarts != 1 ||
			!s.StartDeadline.Equal(crashed.Add(time.Minute)) || !s.CauseAt.Equal(crashed) {
			t.Errorf("%+v", s)
		}
		f.set("clean", nil)
		f.set("prepare", nil)
	})
}

func TestDayOfCrashes(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("web", f, probing())
		for n := 1; n <= 24; n++ {
			time.Sleep(time.Hour)
			f.exit(n, supervisor.Exit{Code: 1})
			w.wantPhase("web", supervisor.Ready) // in no time at all
		}
		if s := w.status("web"); s.Restarts != 24 || s.Launch != 25 || s.Failures != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour)
		if s := w.status("web"); s.Failures != 0 {
			t.Error("failures are not forgotten:", s.Failures)
		}
		if got := f.count("probe 25"); got < 3500 || got > 3700 {
			t.Error("probes in an hour:", got)
		}
	})
}

func TestCrashLoopIsVisible(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		broken := errors.New("create: no such file")
		f.set("prepare", fails(broken))
		p := probing()
		p.Restart.Jitter = 0.1
		w.add("web", f, p)
		time.Sleep(time.Hour)
		s := w.status("web")
		if s.Phase != supervisor.CrashLooping || !errors.Is(s.Cause, broken) || !s.Next.After(time.Now()) || !s.Settled {
			t.Errorf("%+v", s)
		}
		if s.Failures != s.Launch || s.Restarts != s.Launch-1 {
			t.Errorf("%+v", s)
		}
		if s.Launch < 110 || s.Launch > 140 { // 30 s each, the first ten quicker
			t.Error("launches in an hour:", s.Launch)
		}
		if f.count("clean 100") != 1 {
			t.Error("a failed Prepare is not cleaned once")
		}
		waits := w.of(supervisor.GatewayCrashLooping)
		var lengths []time.Duration
		for _, e := range waits[len(waits)-10:] {
			lengths = append(lengths, e.Next.Sub(e.Time))
		}
		if slices.Min(lengths) < 27*time.Second || slices.Max(lengths) > 33*time.Second || slices.Min(lengths) == slices.Max(lengths) {
			t.Error("not capped with jitter:", lengths)
		}
	})
}

func TestUnhealthy(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Ready)
		time.Sleep(time.Minute)
		refused := errors.New("connection refused")
		f.set("probe", fails(refused))
		time.Sleep(4 * time.Second)
		s := w.status("web")
		if !errors.Is(s.Cause, supervisor.ErrUnhealthy) || !errors.Is(s.Cause, refused) || s.Launch != 2 {
			t.Errorf("%+v", s)
		}
		if f.count("signal 1") != 1 || f.count("kill 1") != 0 {
			t.Errorf("%v", f.seen())
		}
	})
}

// A Prober that ignores its context is asked once, and counts as failed.
func TestProberHangs(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		w.add("web", f, probing())
		w.wantPhase("web", supervisor.Ready)
		release := make(chan struct{})
		f.set("probe", func(context.Context, int) error { <-release; return nil })
		time.Sleep(10 * time.Second)
		if s := w.status("web"); !errors.Is(s.Cause, supervisor.ErrUnhealthy) {
			t.Errorf("%+v", s)
		}
		if got := f.count("probe 1"); got != 2 {
			t.Errorf("%d probes", got)
		}
		close(release)
	})
}

func TestStartTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		refused := errors.New("status 503")
		f.set("probe", fails(refused))
		w.add("web", f, probing())
		took, err := w.within(time.Hour, func(ctx context.Context) error { return w.Start(ctx, "web") })
		if took != time.Minute || !errors.Is(err, supervisor.ErrStartTimeout) || !errors.Is(err, refused) {
			t.Error(took, err)
		}
		// 1 ms, 2 ms, … 512 ms, then once a second
		if got := f.count("probe 1"); got != 69 {
			t.Errorf("%d probes in a minute", got)
		}
		if s := w.status("web"); !s.Settled || s.Phase != supervisor.Backoff || s.ProbeError != nil {
			t.Errorf("%+v", s)
		}
	})
}

// One gateway whose calls never come back delays neither another nor what is asked of the whole.
func TestHungGatewayDelaysNobody(t *testing.T) {
	for _, call := range []string{"prepare", "start", "probe", "signal", "kill", "clean"} {
		t.Run(call, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				bad, good := newFake(), newFake()
				release := make(chan struct{})
				bad.set(call, func(context.Context, int) error { <-release; return nil })
				p := probing()
				if call == "kill" {
					p.Stop.Timeout = 0
				}
				w.add("bad", bad, p)
				w.add("good", good, probing())
				w.wantPhase("good", supervisor.Ready)
				asked := make(chan error, 1)
				go func() {
					_, err := w.within(time.Hour, func(ctx context.Context) error { return w.Stop(ctx, "bad") })
					asked <- err
				}()
				synctest.Wait()
				if took, err := w.within(time.Second, w.Answers); took != 0 || err != nil {
					t.Error("answers:", took, err)
				}
				took, err := w.within(time.Minute, func(ctx context.Context) error {
					return errors.Join(w.Restart(ctx, "good"), w.Stop(ctx, "good"), w.Remove(ctx, "good"))
				})
				if took != 0 || err != nil {
					t.Error("the good one:", took, err)
				}
				time.Sleep(2 * time.Minute)
				close(release) // else the bubble could not end
				if err := <-asked; err != nil && call != "clean" && call != "kill" {
					t.Error("stop:", err)
				}
			})
		})
	}
}

// Stop is obeyed at once while a call hangs that minds its context.
func TestStopAtEveryMoment(t *testing.T) {
	for call, limit := range map[string]time.Duration{"prepare": 0, "start": 0, "probe": 0, "signal": 10 * time.Second} {
		t.Run(call, func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				f := newFake()
				f.set(call, hang)
				w.add("web", f, probing())
				time.Sleep(time.Millisecond)
				took, err := w.within(time.Minute, func(ctx context.Context) error { return w.Stop(ctx, "web") })
				if took > limit || err != nil {
					t.Error(took, err, f.seen())
				}
				w.wantPhase("web", supervisor.Stopped)
				if f.count("clean 1") != 1 {
					t.Error(f.seen())
				}
			})
		})
	}
}

// A Prepare that succeeds after its context was cancelled has made a container: it is killed and cleaned.
func TestPrepareSucceedsTooLate(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		f := newFake()
		f.set("prepare", func(ctx context.Context, n int) error { <-ctx.Done(); return nil })
		w.add("web", f, probing())
		synctest.Wait()
		if _, err := w.within(time.Minute, func(ctx context.Context) error { return w.Stop(ctx, "web") }); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"prepare 1", "kill 1", "clean 1"}, f.seen()); diff != "" {
			t.Error(diff)
		}
	})
}

// The observer may be slow; Status, Hurry and other gateways do not care.
func TestObserverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := supervisor.New(func(e supervisor.Event) {
			if e.Gateway == "bad" {
				<-release
			}
		})
		w := world{s, &record{}, t}
		w.add("bad", newFake(), probing())
		w.add("good", newFake(), probing())
		w.wantPhase("good", supervisor.Ready)
		w.wantPhase("bad", supervisor.Starting)
		s.Hurry()
		s.Hurry()
		if _, err := w.within(time.Second, s.Answers); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("a loop that hangs answers:", err)
		}
		close(release)
		w.within(time.Minute, s.Shutdown)
	})
}
