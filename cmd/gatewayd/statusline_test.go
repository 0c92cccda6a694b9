package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// What is over by the time it would be told is not told.
func TestStatusLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s statusLine
		if s.want("up", true); s.told != "up" || s.due != nil {
			t.Fatalf("at once: %+v", s)
		}
		if s.want("restarts", false); s.told != "up" || s.due == nil {
			t.Errorf("soon: %+v", s)
		}
		if s.want("up", false); s.due != nil {
			t.Errorf("as it was: %+v", s)
		}
		s.want("restarts", false)
		began := time.Now()
		s.want("restarts again", false)
		<-s.due
		if s.tell(); s.told != "restarts again" || s.due != nil || time.Since(began) != statusDelay {
			t.Errorf("after %v: %+v", time.Since(began), s)
		}
	})
}
