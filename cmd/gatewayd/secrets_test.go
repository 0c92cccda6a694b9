package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// What follows closely is one change; what never ends is looked at all the same.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			times int
			every time.Duration
			want  time.Duration
		}{
			{1, time.Millisecond, secretsRest},
			{4, secretsRest / 2, 3*secretsRest/2 + secretsRest},
			{1000, time.Millisecond, 999*time.Millisecond + secretsRest},
			{100000, time.Millisecond, secretsPatience},
		} {
			if took := restAfter(c.times, c.every); took != c.want {
				t.Errorf("%d, one each %v: looked at after %v, want %v", c.times, c.every, took, c.want)
			}
		}
	})
}

func restAfter(times int, every time.Duration) time.Duration {
	var r rest
	began := time.Now()
	for range times {
		r.happened()
		select {
		case <-r.over:
			return time.Since(began)
		case <-time.After(every):
		}
	}
	<-r.over
	return time.Since(began)
}
