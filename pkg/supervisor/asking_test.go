package supervisor

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// sluggish is a Launcher whose Prepare takes until it is cancelled; Clean fails so many times.
type sluggish struct {
	Launcher
	dirty atomic.Int32
}

func (s *sluggish) Prepare(ctx context.Context, _ int, _ string) (<-chan Exit, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *sluggish) Clean(context.Context, int) error {
	if s.dirty.Add(-1) >= 0 {
		return errors.New("busy")
	}
	return nil
}

func TestNothingIsKeptOfAWaiterThatWentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil)
		if err := s.Add(Gateway{Name: "web", Launcher: &sluggish{}}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Start(ctx, "web"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		synctest.Wait()
		if waits := s.loops["web"].machine.waiting; len(waits) > 0 {
			t.Errorf("%d waiters are kept", len(waits))
		}
		s.Shutdown(t.Context())
	})
}

func TestNothingIsKeptOfARemovedGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil)
		launcher := &sluggish{}
		launcher.dirty.Store(2)
		if err := s.Add(Gateway{Name: "web", Launcher: launcher}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := s.Remove(t.Context(), "web"); err == nil {
			t.Error("nothing is said of what is left")
		}
		synctest.Wait()
		if len(s.all()) != 0 || len(s.everyLoop()) != 1 {
			t.Errorf("%d loops have a name, %d live", len(s.all()), len(s.everyLoop()))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(s.everyLoop()) != 0 {
			t.Error("it is kept when all is cleaned")
		}
	})
}

// immortal is a Launcher of programs that never end, whatever it says.
type immortal struct{ Launcher }

func (immortal) Prepare(context.Context, int, string) (<-chan Exit, error) {
	return make(chan Exit), nil
}
func (immortal) Start(context.Context, int) error { return nil }
func (immortal) Kill(context.Context, int) error  { return nil }
func (immortal) Clean(context.Context, int) error { return errors.New("busy") }

// The bubble does not end while a goroutine waits for the Exit.
func TestShutdownWaitsForNoExitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil)
		if err := s.Add(Gateway{Name: "web", Launcher: immortal{}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := s.Shutdown(t.Context()); err == nil {
			t.Error("nothing is said of what is left")
		}
	})
}

// A loop answers in its last turn and ends; who finds both at once gets the answer.
func TestLastAnswer(t *testing.T) {
	w := &waiter{answer: make(chan error, 1)}
	if err := w.last(); !errors.Is(err, ErrUnknownGateway) {
		t.Error(err)
	}
	w.answer <- nil
	if err := w.last(); err != nil {
		t.Error(err)
	}
}
