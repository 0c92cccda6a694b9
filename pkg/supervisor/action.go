package supervisor

import (
	"syscall"
	"time"
)

// action is what the machine wants done. Calls are carried out in goroutines of their own, in no order the
// machine relies on; the rest is done by the loop itself.
type action interface{ isAction() }

type (
	prepare struct {
		n        int
		revision string
		by       time.Time
	}
	start struct {
		n  int
		by time.Time
	}
	probe struct {
		n  int
		by time.Time
	}
	signal struct {
		n      int
		signal syscall.Signal
		by     time.Time
	}
	kill struct {
		n  int
		by time.Time
	}
	clean struct {
		n  int
		by time.Time
	}
	freeze struct {
		n      int
		frozen bool
		by     time.Time
	}
	count struct { // the connections of n
		n  int
		by time.Time
	}
	steer  struct{ n, share int } // carried out by the loop itself, before the calls of the same step
	cancel struct{ n int }        // the contexts of all calls of n so far: their answers no longer matter
	forget struct{ n int }        // nothing of n is left

	emit   struct{ event Event }
	answer struct {
		who *waiter
		err error
	}
	release struct{} // the name is free for another gateway
	finish  struct{} // the machine wants nothing any more
)

func (prepare) isAction() {}
func (start) isAction()   {}
func (probe) isAction()   {}
func (signal) isAction()  {}
func (kill) isAction()    {}
func (clean) isAction()   {}
func (freeze) isAction()  {}
func (count) isAction()   {}
func (steer) isAction()   {}
func (cancel) isAction()  {}
func (forget) isAction()  {}
func (emit) isAction()    {}
func (answer) isAction()  {}
func (release) isAction() {}
func (finish) isAction()  {}
