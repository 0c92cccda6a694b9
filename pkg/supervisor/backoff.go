package supervisor

import (
	"math"
	"slices"
	"time"
)

// loopAfter is how many failures in the window make a crash loop.
const loopAfter = 3

// history is what a gateway remembers of launches that ended unasked.
type history struct {
	streak int         // such ends with no ResetAfter of readiness between
	delays int         // delays among them: the exponent of the next one
	tries  []int       // the same, of each rule that has a backoff of its own
	ends   []time.Time // the latest, as many as a decision can need
}

// clone returns a history that can be tried out.
func (h history) clone() history {
	h.ends, h.tries = slices.Clone(h.ends), slices.Clone(h.tries)
	return h
}

// verdict is what follows an end.
type verdict struct {
	delay     time.Duration // 0: at once
	looping   bool
	exhausted bool // MaxFailures reached
}

// add records an end by r at now after readyFor of readiness. random is in [0, 1).
func (h *history) add(now time.Time, readyFor time.Duration, p RestartPolicy, r ruling, random float64) verdict {
	rested := readyFor >= p.ResetAfter
	if rested {
		h.streak, h.delays, h.tries = 0, 0, nil
	}
	if !r.Uncounted {
		h.count(now, p)
		if p.MaxFailures > 0 && h.within(now, p.Window, p.MaxFailures) {
			return verdict{exhausted: true}
		}
	}
	if rested && r.backoff == plain {
		return verdict{}
	}
	return verdict{
		delay:   delay(p.pace(r.RestartRule), h.tried(r), random),
		looping: !r.Uncounted && h.streak >= loopAfter && h.within(now, p.Window, loopAfter),
	}
}

// count notes a failure.
func (h *history) count(now time.Time, p RestartPolicy) {
	h.streak++
	h.ends = append(h.ends, now)
	if extra := len(h.ends) - max(loopAfter, p.MaxFailures); extra > 0 {
		h.ends = h.ends[extra:]
	}
}

// tried notes a delay, and says how many of the same backoff there were before.
func (h *history) tried(r ruling) int {
	if r.backoff == plain {
		h.delays++
		return h.delays - 1
	}
	if missing := r.backoff + 1 - len(h.tries); missing > 0 {
		h.tries = append(h.tries, make([]int, missing)...)
	}
	h.tries[r.backoff]++
	return h.tries[r.backoff] - 1
}

// within says whether the latest count ends are no older than window.
func (h *history) within(now time.Time, window time.Duration, count int) bool {
	first := len(h.ends) - count
	return first >= 0 && now.Sub(h.ends[first]) <= window
}

// delay is Delay*Factor^k, capped, then varied by Jitter so that gateways that fell together do not come back
// together for ever. It is never zero: zero means at once.
func delay(p RestartPolicy, k int, random float64) time.Duration {
	// In floating point, where growth ends at +Inf instead of turning negative.
	d := min(float64(p.Delay)*math.Pow(p.Factor, float64(k)), float64(p.MaxDelay))
	d *= 1 + p.Jitter*(2*random-1)
	return max(time.Duration(d), time.Millisecond)
}

// mayRunPause is the longest time until Clean is tried again of what holds others back.
const mayRunPause = 5 * time.Second

// retryDelay is the time until Clean, a standby or the steering is tried again after so many failures: 1 s, doubling
// up to a minute.
func retryDelay(failures int) time.Duration {
	return min(time.Second<<min(failures-1, 6), longestRetry)
}

const longestRetry = time.Minute
