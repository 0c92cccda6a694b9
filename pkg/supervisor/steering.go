package supervisor

import "time"

// all is the share of the launch that serves.
const all = 100

// steering is what Traffic was told last.
type steering struct {
	serving int // the launch that got all
	canary  int // the launch that has a share; 0: none
	share   int

	err      error     // what Switch came to; nil: well, or asked again
	failures int       // in a row
	at       time.Time // when it is asked again; zero: there is no need
}

// steer gives launch n a share of the new connections.
func (m *machine) steer(n, share int) {
	if !m.steers {
		return
	}
	s := steering{serving: m.steering.serving}
	switch share {
	case all:
		s.serving = n
	case 0:
	default:
		s.canary, s.share = n, share
	}
	m.steering = s
	m.do(steer{n, share})
}

// unshare takes a canary back.
func (m *machine) unshare(l *launch) {
	if m.steering.canary == l.n {
		m.steer(l.n, 0)
	}
}

// steerFailed notes that Switch failed. One that has been overtaken by another does not matter.
func (m *machine) steerFailed(now time.Time, in steerFailed) {
	s := &m.steering
	if !s.asked(in.n, in.share) {
		return
	}
	s.err = in.err
	s.failures++
	s.at = now.Add(retryDelay(s.failures))
	m.emit(now, Event{Kind: SteeringFailed, Launch: in.n, Cause: in.err, Next: s.at})
}

// asked says whether n having this share is what was asked for last.
func (s *steering) asked(n, share int) bool {
	switch share {
	case all:
		return n == s.serving
	case 0:
		return s.serving > 0 && s.canary == 0
	}
	return n == s.canary && share == s.share
}

// steerAgain tells Traffic all that holds: a canary is gone when another launch gets all.
func (m *machine) steerAgain() {
	s := &m.steering
	s.err, s.at = nil, time.Time{}
	if !m.serves(s.serving) { // the next one is steered when it starts
		return
	}
	m.do(steer{s.serving, all})
	if s.canary > 0 {
		m.do(steer{s.canary, s.share})
	}
}

// serves says whether launch n is the current one, and its program runs.
func (m *machine) serves(n int) bool { return m.current != nil && m.current.n == n && m.current.begun }
