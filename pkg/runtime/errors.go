package runtime

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Errors that callers may test for with errors.Is.
var (
	// ErrRunning says that a process of the call or of the container may
	// still be running, although it was killed: the next launch must wait.
	ErrRunning = errors.New("still running")
	// ErrNotChild says that a process is not a child of this program, so that
	// its end can be neither waited for nor reaped here.
	ErrNotChild = errors.New("not our child")
	// ErrNoRuntime says that Find saw no runtime that can be used.
	ErrNoRuntime = errors.New("no usable OCI runtime")
)

// CommandError is a call of the runtime that did not succeed.
//
// Err is context.DeadlineExceeded or context.Canceled (by errors.Is) when the
// call was killed for its deadline or its caller, and wraps ErrRunning when
// something of it may have survived that.
type CommandError struct {
	Op     string // "create", "start" or "delete"
	ID     string // of the container
	Detail string // the runtime's own words, from its log; may be empty
	Err    error
}

func (e *CommandError) Error() string {
	text := fmt.Sprintf("%s %s: %v", e.Op, e.ID, e.Err)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

func (e *CommandError) Unwrap() error { return e.Err }

// endedError is the end of a call by a code or a signal.
type endedError struct {
	runtime string
	state   *os.ProcessState
}

func (e *endedError) Error() string { return fmt.Sprintf("%s ended with %v", e.runtime, e.state) }

// Answered reports whether err is the runtime's own no to a create: it has ended
// with a code, and was not killed.
func Answered(err error) bool {
	ended := new(endedError)
	return errors.As(err, &ended) && ended.state.Exited()
}

// noAnswer is the end of a call that was killed.
type noAnswer struct {
	runtime string
	after   time.Duration
	err     error // of the context
}

func (e *noAnswer) Error() string {
	return fmt.Sprintf("%s gave no answer within %v", e.runtime, e.after)
}

func (e *noAnswer) Unwrap() error { return e.err }
