package load

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type counter = atomic.Int64

// Count is what became of the requests of one kind of clients.
type Count struct {
	OK       int       `json:"ok"`
	Wrong    int       `json:"wrong"`
	Refused  int       `json:"refused"`
	Reset    int       `json:"reset"`
	Cut      int       `json:"cut"`
	TimedOut int       `json:"timed_out"`
	Latency  Latency   `json:"latency"`        // of those that are ok
	Gap      float64   `json:"longest_gap_ms"` // between two that are ok
	Failures []Failure `json:"failures"`       // the first hundreds
}

// Failed are all that are not ok.
func (c Count) Failed() int { return c.Wrong + c.Refused + c.Reset + c.Cut + c.TimedOut }

// Add sums up; of the latencies the larger ones stay.
func (c Count) Add(o Count) Count {
	c.OK, c.Wrong, c.Refused = c.OK+o.OK, c.Wrong+o.Wrong, c.Refused+o.Refused
	c.Reset, c.Cut, c.TimedOut = c.Reset+o.Reset, c.Cut+o.Cut, c.TimedOut+o.TimedOut
	c.Latency.Median = max(c.Latency.Median, o.Latency.Median)
	c.Latency.P99, c.Latency.Max = max(c.Latency.P99, o.Latency.P99), max(c.Latency.Max, o.Latency.Max)
	c.Gap = max(c.Gap, o.Gap)
	c.Failures = append(slices.Clip(c.Failures), o.Failures...)
	return c
}

// Latency is from the connect of a fresh connection, else from the request, to
// the whole answer.
type Latency struct {
	Median float64 `json:"median_us"`
	P99    float64 `json:"p99_us"`
	Max    float64 `json:"max_us"`
}

// Failure is one request that was not ok, in nanoseconds of CLOCK_MONOTONIC,
// which all processes share.
type Failure struct {
	Kind  string `json:"kind"`
	Error string `json:"error"`
	Began int64  `json:"began"`
	Ended int64  `json:"ended"`
}

// mostFailures bounds the list: a server that is down refuses thousands.
const mostFailures = 500

// Now is the clock of Failure.
func Now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // the clock is there
	}
	return t.Nano()
}

// Stages of a request, as far as errors are concerned.
var (
	errUnsent = errors.New("not sent")
	errWrong  = errors.New("not answered with 200")
)

// tally counts for all clients of a kind.
type tally struct {
	first  func()
	mu     sync.Mutex
	sum    Count
	took   []time.Duration
	lastOK int64
}

// add counts a request that began at a time of Now.
func (t *tally) add(began int64, err error) {
	now := Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.fail(began, now, err)
		return
	}
	t.sum.OK++
	t.took = append(t.took, time.Duration(now-began))
	if t.sum.OK == 1 {
		t.first()
	} else {
		t.sum.Gap = max(t.sum.Gap, float64(now-t.lastOK)/1e6)
	}
	t.lastOK = now
}

func (t *tally) fail(began, now int64, err error) {
	kind, n := t.kind(err)
	*n++
	if len(t.sum.Failures) < mostFailures {
		t.sum.Failures = append(t.sum.Failures, Failure{kind, err.Error(), began, now})
	}
}

func (t *tally) kind(err error) (string, *int) {
	switch {
	case errors.Is(err, errWrong):
		return "wrong", &t.sum.Wrong
	case timedOut(err):
		return "timed out", &t.sum.TimedOut
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused", &t.sum.Refused
	case errors.Is(err, errUnsent):
		return "reset", &t.sum.Reset
	}
	return "cut", &t.sum.Cut
}

// timedOut tells by what net returns, and by what a blocking socket does.
func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, syscall.EAGAIN)
}

func (t *tally) count() Count {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.sum
	if len(t.took) > 0 {
		slices.Sort(t.took)
		us := func(quantile float64) float64 {
			return float64(t.took[int(quantile*float64(len(t.took)-1))].Nanoseconds()) / 1000
		}
		c.Latency = Latency{us(0.5), us(0.99), us(1)}
	}
	return c
}
