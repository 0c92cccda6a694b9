package supervisor_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// BenchmarkExitToPrepare is what the supervisor itself adds to a restart: from the Exit in its channel to the call
// of the next Prepare.
func BenchmarkExitToPrepare(b *testing.B) {
	f := newFake()
	prepared := make(chan int)
	f.set("prepare", func(_ context.Context, n int) error { prepared <- n; return nil })
	s := supervisor.New(nil)
	p := supervisor.Policy{Restart: supervisor.RestartPolicy{ResetAfter: 1}}
	if err := s.Add(supervisor.Gateway{Name: "web", Launcher: f, Policy: p}); err != nil {
		b.Fatal(err)
	}
	n := <-prepared
	for b.Loop() {
		b.StopTimer()
		if err := s.Start(context.Background(), "web"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		f.exit(n, supervisor.Exit{Code: 1})
		n = <-prepared
	}
	f.set("prepare", nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		b.Error(err)
	}
}

// BenchmarkExitToThaw is what the supervisor itself adds to a take-over: from the Exit in its channel to the call that
// lets the standby go on. Traffic has been switched before it.
func BenchmarkExitToThaw(b *testing.B) {
	f := newFake()
	frozen, thawed := make(chan int), make(chan int)
	f.set("freeze", func(_ context.Context, n int) error { frozen <- n; return nil })
	f.set("thaw", func(_ context.Context, n int) error { thawed <- n; return nil })
	s := supervisor.New(nil)
	p := supervisor.Policy{
		Overlap: true, Restart: supervisor.RestartPolicy{ResetAfter: 1},
		Standby: supervisor.StandbyPolicy{Mode: supervisor.WarmStandby},
	}
	if err := s.Add(supervisor.Gateway{Name: "web", Launcher: f, Policy: p, Traffic: f}); err != nil {
		b.Fatal(err)
	}
	n := 1
	for b.Loop() {
		b.StopTimer()
		standby := <-frozen
		if err := s.Start(context.Background(), "web"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		f.exit(n, supervisor.Exit{Code: 1})
		n = <-thawed
		if n != standby {
			b.Fatalf("launch %d took over, %d stood by", n, standby)
		}
	}
	f.set("freeze", nil)
	<-frozen // the last one
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		b.Error(err)
	}
}
