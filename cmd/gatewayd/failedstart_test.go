package main

import (
	"strconv"
	"testing"
)

// Whatever the file with the failed starts says, a start waits within bounds, and
// the count does not begin anew with one failure more.
func FuzzFailedStarts(f *testing.F) {
	f.Add([]byte("3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := parseFailures(data)
		if more := parseFailures([]byte(strconv.Itoa(n + 1))); n < 0 || more < n {
			t.Fatalf("%d from %q, and then %d", n, data, more)
		}
		now, next := failedWait(n), failedWait(n+1)
		if now < 0 || next < now || next <= 0 || next > failedWaitMost {
			t.Errorf("after %d: %s, then %s", n, now, next)
		}
	})
}
