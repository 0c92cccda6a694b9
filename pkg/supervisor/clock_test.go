package supervisor

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// clock is this machine's, and can be set: its wall clock jumps, and what is monotonic of a moment goes on, as the
// kernel has it. The machine's own is left alone.
type clock struct{ ahead atomic.Int64 } // seconds

func (c *clock) set(ahead time.Duration) { c.ahead.Store(int64(ahead / time.Second)) }

func (c *clock) now() time.Time {
	t := time.Now()
	inside := (*struct { // time.Time: with a monotonic reading wall has the seconds since 1885 above 30 bits
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	inside.wall = uint64(int64(inside.wall) + c.ahead.Load()<<30)
	return t
}

// A year forward and an hour back: nothing ends early, nothing waits longer, and what is told fits the clock.
func TestClockIsSet(t *testing.T) {
	if c := new(clock); true {
		c.set(time.Hour)
		if ahead := c.now().Round(0).Sub(time.Now().Round(0)).Round(time.Minute); ahead != time.Hour || time.Until(c.now()) > time.Minute {
			t.Fatalf("the clock of this test is %v ahead", ahead)
		}
	}
	for name, jump := range map[string]time.Duration{"forward": 365 * 24 * time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) { testClockIsSet(t, jump) })
	}
}

func testClockIsSet(t *testing.T, jump time.Duration) {
	var c clock
	s := New(nil)
	s.now = c.now
	short := newClocked()
	add(t, s, Gateway{Name: "short", Launcher: short, Prober: short, Policy: Policy{
		Probe:   ProbePolicy{Enabled: true, Interval: time.Millisecond},
		Restart: RestartPolicy{Delay: 200 * time.Millisecond, Factor: 1},
	}})
	long := newClocked()
	add(t, s, Gateway{Name: "long", Launcher: long, Prober: long, Policy: Policy{
		Restart: RestartPolicy{Delay: 24 * time.Hour, MaxDelay: 24 * time.Hour},
	}})
	await(t, s, "short", func(st Status) bool { return st.Phase == Ready })
	await(t, s, "long", func(st Status) bool { return st.Phase == Ready })
	short.exit(1)
	long.exit(1)
	await(t, s, "short", func(st Status) bool { return st.Phase == Backoff })
	await(t, s, "long", func(st Status) bool { return st.Phase == Backoff })
	c.set(jump) // while both wait

	await(t, s, "short", func(st Status) bool { return st.Phase == Ready && st.Launch == 2 })
	probes := short.probes.Load()
	await(t, s, "short", func(Status) bool { return short.probes.Load() > probes+3 })
	if err := s.Answers(t.Context()); err != nil { // a turn of each loop, in which what is due is done
		t.Fatal(err)
	}
	st := await(t, s, "long", func(Status) bool { return true })
	if st.Phase != Backoff || st.Launch != 1 {
		t.Errorf("a backoff of a day is over: %+v", st)
	}
	// Without the monotonic readings, as who reads the status has them.
	if left := st.Next.Round(0).Sub(c.now().Round(0)); left > 24*time.Hour || left < 23*time.Hour {
		t.Errorf("the next launch is told to come in %v", left)
	}
	if ago := c.now().Round(0).Sub(st.CauseAt.Round(0)); ago < 0 || ago > time.Hour-time.Minute {
		t.Errorf("the cause is told to be %v old", ago)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func add(t *testing.T, s *Supervisor, g Gateway) {
	t.Helper()
	if err := s.Add(g); err != nil {
		t.Fatal(err)
	}
}

// await waits for a gateway to be as it should be.
func await(t *testing.T, s *Supervisor, name string, is func(Status) bool) Status {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		for _, st := range s.Status() {
			if st.Name == name && is(st) {
				return st
			}
			if st.Name == name && time.Now().After(limit) {
				t.Fatalf("%s is %+v", name, st)
			}
		}
	}
}

// clocked is a Launcher and a Prober in which everything works at once.
type clocked struct {
	exits  chan Exit
	ended  chan struct{}
	probes atomic.Int64
}

func newClocked() *clocked { return &clocked{exits: make(chan Exit, 1), ended: make(chan struct{})} }

func (l *clocked) exit(code int) { l.exits <- Exit{Code: code} }

func (l *clocked) Prepare(context.Context, int, string) (<-chan Exit, error) {
	exits := make(chan Exit, 1)
	go func() {
		select {
		case e := <-l.exits:
			exits <- e
		case <-l.ended:
			exits <- Exit{Signal: syscall.SIGKILL}
		}
	}()
	return exits, nil
}

func (l *clocked) Start(context.Context, int) error                  { return nil }
func (l *clocked) Signal(context.Context, int, syscall.Signal) error { return errors.New("it is deaf") }
func (l *clocked) Freeze(context.Context, int, bool) error           { return nil }
func (l *clocked) Clean(context.Context, int) error                  { return nil }

func (l *clocked) Kill(context.Context, int) error {
	close(l.ended)
	return nil
}

func (l *clocked) Probe(context.Context, int) error {
	l.probes.Add(1)
	return nil
}
