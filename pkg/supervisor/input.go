package supervisor

import "time"

// input is what the machine is told.
type input interface{ isInput() }

// reply is an input that answers an action. It carries the number of its launch; step drops it when that launch is
// forgotten or has gone on.
type reply interface {
	input
	launch() int
}

// waiter is who waits for the answer to a request. The machine only hands it back; the channel has capacity 1,
// so that an answer nobody waits for any more holds nothing up.
type waiter struct{ answer chan error }

type (
	tick       struct{} // a deadline may be due
	askStart   struct{ who *waiter }
	askRestart struct{ who *waiter }
	askStop    struct{ who *waiter }
	askLeave   struct { // stop and be forgotten
		who     *waiter
		abandon bool // do not stay for what Clean could not remove
	}
	askDeploy struct {
		who        *waiter
		deployment Deployment
	}
	askPing  struct{ who *waiter } // an answer proves that the loop turns
	changed  struct{ what string } // of what launches are made from
	hurry    struct{}              // what is stopping is killed now
	withdraw struct{ who *waiter } // waits no longer

	prepared struct {
		n   int
		err error
	}
	started struct {
		n   int
		err error
	}
	probed struct {
		n   int
		err error
	}
	signalled struct {
		n   int
		err error
	}
	killed struct {
		n   int
		err error
	}
	cleaned struct {
		n   int
		err error
	}
	exited struct {
		n    int
		exit Exit
	}
	froze struct {
		n      int
		frozen bool // what was asked
		err    error
	}
	counted struct {
		n     int
		count int
		err   error
	}
	steerFailed struct { // one that worked is not told
		n, share int
		err      error
	}
)

func (tick) isInput()        {}
func (askStart) isInput()    {}
func (askRestart) isInput()  {}
func (askStop) isInput()     {}
func (askLeave) isInput()    {}
func (askDeploy) isInput()   {}
func (askPing) isInput()     {}
func (changed) isInput()     {}
func (hurry) isInput()       {}
func (withdraw) isInput()    {}
func (prepared) isInput()    {}
func (started) isInput()     {}
func (probed) isInput()      {}
func (signalled) isInput()   {}
func (killed) isInput()      {}
func (cleaned) isInput()     {}
func (exited) isInput()      {}
func (froze) isInput()       {}
func (counted) isInput()     {}
func (steerFailed) isInput() {}

func (in prepared) launch() int  { return in.n }
func (in started) launch() int   { return in.n }
func (in probed) launch() int    { return in.n }
func (in signalled) launch() int { return in.n }
func (in killed) launch() int    { return in.n }
func (in cleaned) launch() int   { return in.n }
func (in exited) launch() int    { return in.n }
func (in froze) launch() int     { return in.n }
func (in counted) launch() int   { return in.n }

// grace is what a call has after its deadline to come back with its own words, which say more than "no answer".
const grace = time.Second
