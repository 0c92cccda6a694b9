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
