package supervisor

import (
	"slices"
	"time"
)

// onClock puts every moment on the clock as it is now. They are kept with a monotonic reading (see package time), by
// which everything here goes, and with the wall clock's as it was then. That may have been set since, and whoever is
// told of a moment compares it with a clock on the wall.
func (s *Status) onClock(now time.Time) {
	for _, t := range []*time.Time{
		&s.Since, &s.CauseAt, &s.Next, &s.StartDeadline, &s.Provisional, &s.RolledBackAt, &s.Drained.At,
	} {
		*t = onClock(now, *t)
	}
	if s.Standby != nil {
		standby := *s.Standby
		standby.Since, standby.Next = onClock(now, standby.Since), onClock(now, standby.Next)
		s.Standby = &standby
	}
	if s.Deploying != nil {
		deploying := *s.Deploying
		deploying.Until = onClock(now, deploying.Until)
		s.Deploying = &deploying
	}
	s.Draining = slices.Clone(s.Draining)
	for i := range s.Draining {
		s.Draining[i].Until = onClock(now, s.Draining[i].Until)
	}
}

func onClock(now, t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Add(t.Sub(now))
}
