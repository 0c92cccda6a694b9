package bundle

import (
	"testing"
	"time"
)

// A tree that was made in the hour before the clock was set back by one is looked at
// once, and not with patience for each of its entries.
func TestExamineAfterTheClockIsSetBack(t *testing.T) {
	made := time.Now()
	for back, want := range map[time.Duration]int{0: 2, time.Hour: 1} {
		x := newExamination(t.Context(), nil, made.Add(-back), SurveyOptions{})
		x.clock = func() time.Time { return made.Add(-back) }
		looks := 0
		_, err := x.look(func() (s sighting, err error) {
			looks++
			s.ctime = made.UnixNano()
			return s, nil
		})
		if err != nil || looks != want {
			t.Errorf("set back by %v: %d looks, want %d: %v", back, looks, want, err)
		}
	}
}
