package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// TestStorm asks everything of several gateways at once, in real time and under the race detector, while their
// calls fail and their programs end. Nothing may be stuck afterwards, and no goroutine may be left.
func TestStorm(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := supervisor.New(nil)
	var fakes []*fake
	for i := range 4 {
		f := newFake()
		for _, call := range []string{"prepare", "start", "probe", "signal", "freeze", "thaw", "inflight", "clean"} {
			f.set(call, flaky)
		}
		fakes = append(fakes, f)
		f.set("switch", func(context.Context, int) error { return maybe() })
		p := stormy()
		if err := s.Add(supervisor.Gateway{Name: name(i), Policy: p, Launcher: f, Prober: f, Traffic: f}); err != nil {
			t.Fatal(err)
		}
	}
	var crowd sync.WaitGroup
	for range 16 {
		crowd.Go(func() { pester(s, fakes) })
	}
	crowd.Wait()
	for _, f := range fakes {
		f.set("clean", nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Shutdown(ctx); ctx.Err() != nil { // leftovers are no surprise: Clean was among the flaky calls
		t.Error(err)
	}
	for _, status := range s.Status() {
		if status.Phase != supervisor.Stopped {
			t.Errorf("%+v", status)
		}
	}
}

// stormy is a policy in which everything happens soon.
func stormy() supervisor.Policy {
	p := probing()
	p.StartTimeout = 50 * time.Millisecond
	p.CallTimeout = 10 * time.Millisecond
	p.Probe.Interval = time.Millisecond
	p.Probe.Timeout = time.Millisecond
	p.Restart.Delay = time.Millisecond
	p.Restart.MaxDelay = 10 * time.Millisecond
	p.Restart.ResetAfter = 5 * time.Millisecond
	p.Stop.Timeout = 10 * time.Millisecond
	p.Overlap = true
	p.Standby = supervisor.StandbyPolicy{Mode: supervisor.WarmStandby, Check: 2 * time.Millisecond, MaxAge: 20 * time.Millisecond}
	p.Deploy = supervisor.DeployPolicy{Drain: 5 * time.Millisecond, Confirm: 10 * time.Millisecond}
	return p
}

func name(i int) string { return fmt.Sprint("g", i) }

// maybe fails one time in ten.
func maybe() error {
	if rand.IntN(10) == 0 {
		return errors.New("no")
	}
	return nil
}

func flaky(ctx context.Context, _ int) error {
	switch rand.IntN(10) {
	case 0:
		return errors.New("no")
	case 1:
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func pester(s *supervisor.Supervisor, fakes []*fake) {
	ctx := context.Background()
	for range 300 {
		i := rand.IntN(len(fakes))
		ctx, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(10))*time.Millisecond)
		switch rand.IntN(8) {
		case 0, 1:
			s.Start(ctx, name(i))
		case 2:
			s.Stop(ctx, name(i))
		case 3:
			s.Restart(ctx, name(i))
		case 4:
			s.Deploy(ctx, name(i), supervisor.Deployment{
				Revision: "b", Policy: stormy(), Canary: 20, CanaryFor: time.Millisecond, Until: supervisor.DeployUntil(rand.IntN(3)),
			})
		case 5:
			s.Hurry()
			s.Answers(ctx)
		case 6:
			s.Status()
		case 7:
			for n := range 100 {
				fakes[i].exit(n, supervisor.Exit{Code: 1})
			}
		}
		cancel()
	}
}
