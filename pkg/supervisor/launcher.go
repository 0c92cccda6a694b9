package supervisor

import (
	"context"
	"syscall"
)

// Launcher carries out the launches of one gateway. The supervisor decides, the Launcher does.
//
// Launches are told apart by their number n, which is never used twice on one Launcher. Calls come from
// several goroutines: those of one launch may overlap (Kill while Start hangs, Clean while Kill still waits),
// and Clean of one launch runs beside Prepare of the next. The supervisor asks Prepare once per number,
// and never has two calls of Clean for one number in flight.
//
// Each ctx carries a deadline, and is cancelled as soon as the answer no longer matters. A call that outlives
// its ctx cannot delay the supervisor, but its goroutine stays until the call returns.
type Launcher interface {
	// Prepare stages and creates launch n of the given revision. Nil: a container exists and is blocked before
	// its program starts, and the channel gets exactly one Exit when it has ended, whoever ended it; the channel
	// is buffered, so that an Exit nobody waits for holds nothing up. By the time the Exit is sent no process of
	// the launch is left, as far as the Launcher can know.
	// Error: no process of the launch is left, unless it wraps ErrRunning: then the next launch waits for Clean.
	// Clean(n) is still owed and will be asked either way. An error that wraps ErrPermanent says that another try
	// cannot help. There is no second call for the same n.
	Prepare(ctx context.Context, n int, revision string) (<-chan Exit, error)

	// Start lets the program of a prepared launch begin. Nil: it runs, or has ended already and the Exit tells so.
	// Error: unknown how far it came; Kill and Clean will be asked. There is no second call for the same n.
	Start(ctx context.Context, n int) error

	// Signal asks the program to end. Nil: the signal is delivered, or nobody was left to get it. Error: the
	// supervisor goes on to Kill.
	Signal(ctx context.Context, n int, signal syscall.Signal) error

	// Freeze stops every process of launch n where it is, or lets it go on (cgroup.freeze). Nil: it is so. Error: the
	// launch is killed; Kill has to work on what is frozen. One call at a time is asked for one number, but a context
	// that is cancelled says that the opposite is wanted: it should come back at once.
	Freeze(ctx context.Context, n int, frozen bool) error

	// Kill ends everything in the container at once. Nil: done or on its way, or there was nothing; the Exit is
	// what counts. It may be asked again, and also while Prepare is still at work.
	Kill(ctx context.Context, n int) error

	// Clean removes all that launch n left: processes, container, cgroup, bundle, secrets. It comes after any
	// failure at any point, is idempotent, and waits (within ctx) for a Prepare of n that is still unwinding.
	// Nil: nothing is left, and n is never mentioned again. Error: it names what is left, and Clean will be asked
	// again, later. An error that wraps ErrRunning says that a process may be left: the next launch waits.
	Clean(ctx context.Context, n int) error
}

// Adopter is a Launcher that can go on with launch n, which an earlier image of this process has prepared: Adopt
// stands in for Prepare then.
type Adopter interface {
	Adopt(n int) (<-chan Exit, error)
}

// Traffic decides which launch of a gateway gets new connections.
type Traffic interface {
	// Switch gives launch n share percent of the new connections; the rest goes to the launch that last got 100.
	// 100: all. 0: none any more, also of a launch that has ended. Launch n is prepared and not cleaned. It has to be
	// quick: the gateway's loop itself calls it, in the order of its decisions. Error: it is asked again, later.
	Switch(n, share int) error

	// InFlight counts the connections that launch n has, accepted or waiting for it. An error that wraps
	// ErrUncounted says that nobody can know. It is not asked beside itself for one number.
	InFlight(ctx context.Context, n int) (int, error)
}

// Prober asks one question: does launch n work? Nil: yes. It blocks at most until ctx ends. One probe at a time
// is asked per launch; those of a standby or of a deploy's new launch come beside those of the one that serves.
// An error that wraps ErrUnasked says nothing of the launch: it is shown, asked again, and not counted.
type Prober interface {
	Probe(ctx context.Context, n int) error
}

// Exit is how the program of a launch ended.
type Exit struct {
	Code   int            // exit code; meaningless when Signal is set
	Signal syscall.Signal // the signal that ended it; 0: it exited by itself
	OOM    bool           // the kernel ended it for want of memory
	Detail string         // more words, where there are any
	Err    error          // why the Launcher has ended it, who knows that it can work no more; nil: it has not
}

// Cause returns Err if there is one, nil for a success (code 0, no signal), else an *ExitError.
func (e Exit) Cause() error {
	if e.Err != nil {
		return e.Err
	}
	if e.Code == 0 && e.Signal == 0 && !e.OOM {
		return nil
	}
	return &ExitError{Code: e.Code, Signal: e.Signal, OOM: e.OOM, Detail: e.Detail}
}
