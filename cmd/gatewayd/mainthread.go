package main

import (
	"context"
	"fmt"
	"runtime"
)

// From here on the main goroutine is bound to the main thread of the process, as
// package runtime promises where that is asked for before main begins.
//
// Only that thread lives over an exec. A bare process is to end with us
// (PR_SET_PDEATHSIG), which the kernel takes for the thread that has started it:
// one that another thread had started would be killed by the exec that ends all
// others. So the main thread starts them, and makes the exec.
var _ = func() struct{} { runtime.LockOSThread(); return struct{}{} }()

// onMainThread has the watch, which is the main goroutine's, call f.
func (d *daemon) onMainThread(ctx context.Context, f func() error) error {
	answer := make(chan error, 1)
	select {
	case d.onMain <- func() { answer <- f() }:
		return <-answer
	case <-ctx.Done():
		return fmt.Errorf("wait for the main thread: %w", ctx.Err())
	}
}
