package supervisor

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDelay(t *testing.T) {
	p := Policy{}.withDefaults().Restart
	for _, row := range []struct {
		k              int
		jitter, random float64
		want           time.Duration
	}{
		{0, 0, 0, 100 * time.Millisecond},
		{1, 0, 0, 200 * time.Millisecond},
		{8, 0, 0, 25600 * time.Millisecond},
		{9, 0, 0, 30 * time.Second},
		{100000, 0, 0, 30 * time.Second}, // no overflow
		{0, 0.1, 0, 90 * time.Millisecond},
		{0, 0.1, 0.5, 100 * time.Millisecond},
		{9, 0.1, 0.75, 31500 * time.Millisecond},
		{0, 1, 0, time.Millisecond}, // never zero: that means at once
	} {
		p.Jitter = row.jitter
		if got := delay(p, row.k, row.random); math.Abs(float64(got-row.want)) > 1 {
			t.Errorf("k %d, jitter %v, random %v: %v, want %v", row.k, row.jitter, row.random, got, row.want)
		}
	}
}

func TestCleanDelay(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute,
	} {
		if got := retryDelay(failures); got != want {
			t.Errorf("after %d failures %v, want %v", failures, got, want)
		}
	}
}

// end is one launch that ended unasked: how long after the one before, and how long it had been ready.
type end struct {
	after, ready time.Duration
}

func TestHistory(t *testing.T) {
	const ms = time.Millisecond
	quick, healthy := end{time.Second, 0}, end{time.Minute, 10 * time.Second}
	for name, row := range map[string]struct {
		policy RestartPolicy
		ends   []end
		want   []verdict
	}{
		"the first end of a launch that was ready for long: at once, the next with the first delay": {
			ends: []end{healthy, quick, quick, quick},
			want: []verdict{{}, {delay: 100 * ms}, {delay: 200 * ms, looping: true}, {delay: 400 * ms, looping: true}},
		},
		"never ready: the third is a loop": {
			ends: []end{quick, quick, quick, quick},
			want: []verdict{{delay: 100 * ms}, {delay: 200 * ms}, {delay: 400 * ms, looping: true}, {delay: 800 * ms, looping: true}},
		},
		"a moment less than reset_after is not healthy": {
			ends: []end{quick, {time.Minute, 10*time.Second - 1}},
			want: []verdict{{delay: 100 * ms}, {delay: 200 * ms}},
		},
		"a healthy time between forgets": {
			ends: []end{quick, quick, healthy, quick, quick},
			want: []verdict{{delay: 100 * ms}, {delay: 200 * ms}, {}, {delay: 100 * ms}, {delay: 200 * ms, looping: true}},
		},
		"too seldom for a loop, but delays grow": {
			policy: RestartPolicy{Window: 3 * time.Second},
			ends:   []end{quick, {2 * time.Second, 0}, {2 * time.Second, 0}, quick},
			want:   []verdict{{delay: 100 * ms}, {delay: 200 * ms}, {delay: 400 * ms}, {delay: 800 * ms, looping: true}},
		},
		"too many, healthy times between or not": {
			policy: RestartPolicy{MaxFailures: 3},
			ends:   []end{quick, healthy, healthy},
			want:   []verdict{{delay: 100 * ms}, {}, {exhausted: true}},
		},
		"too many only within the window": {
			policy: RestartPolicy{MaxFailures: 2, Window: 30 * time.Second},
			ends:   []end{healthy, healthy, quick},
			want:   []verdict{{}, {}, {exhausted: true}},
		},
		"one is too many": {
			policy: RestartPolicy{MaxFailures: 1},
			ends:   []end{healthy},
			want:   []verdict{{exhausted: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []verdict
			var h history
			now := scriptBegin
			for _, e := range row.ends {
				now = now.Add(e.after)
				got = append(got, h.add(now, e.ready, Policy{Restart: row.policy}.withDefaults().Restart, plainly, 0.5))
			}
			if diff := cmp.Diff(row.want, got, cmp.AllowUnexported(verdict{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// However long it lives, a history keeps only what decisions need.
func TestHistoryIsBounded(t *testing.T) {
	var h history
	p := Policy{Restart: RestartPolicy{MaxFailures: 5000, Window: time.Second}}.withDefaults().Restart
	now := scriptBegin
	for range 100000 {
		now = now.Add(time.Second)
		h.add(now, 0, p, plainly, 0.5)
	}
	if len(h.ends) > 5000 {
		t.Error(len(h.ends))
	}
}

// plainly is what follows an end that no rule names.
var plainly = ruling{RestartRule{Action: ActionRestart}, plain}
