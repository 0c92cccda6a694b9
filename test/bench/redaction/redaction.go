// Package redaction measures what it costs to take the values of secrets out of
// a log.
package redaction

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// piece is how much gatewayd reads of a stream at once, in bytes.
const piece = 4 << 10

// Cost is the processor time of a megabyte of log with some number of secrets.
type Cost struct {
	Secrets int     `json:"secrets"`
	PerMB   float64 `json:"ms_per_mb"`
}

func (c Cost) String() string {
	if c.Secrets == 0 {
		return fmt.Sprintf("without secrets %.2f ms", c.PerMB)
	}
	return fmt.Sprintf("with %d %.1f ms (%.0f MB/s)", c.Secrets, c.PerMB, 1000/c.PerMB)
}

// Measure takes the best of some rounds: what else runs makes it slower, and
// nothing quicker.
func Measure() []Cost {
	var costs []Cost
	text := Log(2 << 20)
	for _, n := range []int{0, 1, 20, 200} {
		set := Secrets(n)
		best := time.Duration(1<<63 - 1)
		for range 5 {
			best = min(best, Pass(set, text))
		}
		costs = append(costs, Cost{n, best.Seconds() * 1000 / (float64(len(text)) / 1e6)})
	}
	return costs
}

// Pass sends text through a stream and returns the processor time that it took.
func Pass(set *redact.Set, text []byte) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := used()
	stream := set.Stream(func([]byte) {})
	for len(text) > 0 {
		n := min(piece, len(text))
		stream.Write(text[:n])
		text = text[n:]
	}
	stream.Flush()
	return used() - began
}

// used is the processor time of this thread.
func used() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		panic(err) // there is such a clock on Linux
	}
	return time.Duration(now.Nano())
}

// Words joins costs to a sentence.
func Words(costs []Cost) string {
	var words []string
	for _, c := range costs {
		words = append(words, c.String())
	}
	return strings.Join(words, ", ")
}
