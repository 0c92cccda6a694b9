package supervisor

import "errors"

// savedError is an error that outlives its program: the words, and which errors of this package it is.
type savedError struct {
	Text string     `json:"text"`
	Is   []string   `json:"is,omitempty"`
	Exit *ExitError `json:"exit,omitempty"`
}

// savedKinds are the errors that somebody may test for.
var savedKinds = []error{
	ErrPermanent, ErrRunning, ErrStartTimeout, ErrUnhealthy, ErrTooManyFailures,
	ErrUnknownGateway, ErrSuperseded, ErrUncounted, ErrRolledBack, ErrStopped, ErrShutdown,
}

func saveError(err error) *savedError {
	if err == nil {
		return nil
	}
	s := &savedError{Text: err.Error()}
	errors.As(err, &s.Exit)
	for _, kind := range savedKinds {
		if errors.Is(err, kind) {
			s.Is = append(s.Is, kind.Error())
		}
	}
	return s
}

func (s *savedError) error() error {
	if s == nil {
		return nil
	}
	r := &restoredError{text: s.Text}
	for _, kind := range savedKinds {
		for _, name := range s.Is {
			if name == kind.Error() {
				r.kinds = append(r.kinds, kind)
			}
		}
	}
	if s.Exit != nil {
		r.kinds = append(r.kinds, s.Exit)
	}
	return r
}

// restoredError is an error of an earlier image.
type restoredError struct {
	text  string
	kinds []error
}

func (e *restoredError) Error() string { return e.text }

// Unwrap lets errors.Is and errors.As find what it was.
func (e *restoredError) Unwrap() []error { return e.kinds }
