package main

import (
	"time"

	"github.com/gatewayd/gatewayd/internal/systemd"
)

// statusDelay is how long systemd is not told of a new status. What a take-over of
// milliseconds changes is over by then, and to tell it meanwhile would wake
// processes while clients wait.
const statusDelay = 100 * time.Millisecond

// statusLine is what `systemctl status` shows of us.
type statusLine struct {
	notifier     systemd.Notifier
	told, wanted string
	due          <-chan time.Time // when to tell; nil: all is told
}

// want has text told soon, or at once.
func (s *statusLine) want(text string, atOnce bool) {
	s.wanted = text
	switch {
	case text == s.told:
		s.due = nil
	case atOnce:
		s.tell()
	case s.due == nil:
		s.due = time.After(statusDelay)
	}
}

func (s *statusLine) tell() {
	s.told, s.due = s.wanted, nil
	_ = s.notifier.Status(s.told)
}
