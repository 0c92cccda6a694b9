package launch

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// clean removes all that the launch owns. The processes come first: while one
// may be left nothing is taken away under it, and supervisor.ErrRunning says
// so. After that an error does not stop the rest.
func (la *launch) clean(ctx context.Context) error {
	if la.id == "" {
		return nil // it failed before it owned anything
	}
	la.asking.end() // a probe would bring a process into what is emptied here
	// What is secret comes first of all: no path leads to it while others wait.
	scrubbed := bundle.ScrubConfig(la.dir)
	hidden := la.removeSecrets(ctx)
	if err := la.end(ctx); err != nil {
		return errors.Join(fmt.Errorf("end launch %s: %w: %w", la.id, supervisor.ErrRunning, err), scrubbed, hidden)
	}
	la.forgetSecrets()
	la.host.children.drop(la)
	la.releasePorts()
	la.mendLeft()
	la.closeEnds()
	errs := []error{
		hidden,
		la.removeWorkload(ctx),
		la.host.children.reapLeft(la.leaf),
		la.host.children.reapOrphans(),
	}
	if la.leaf != nil {
		errs = append(errs, la.leaf.Remove(ctx))
	}
	errs = append(errs, la.removeRoot(ctx))
	if err := errors.Join(errs...); err != nil {
		return errors.Join(scrubbed, err)
	}
	la.host.flush(ctx)
	// Last, since it is what a later sweep knows the launch by. What could not be
	// scrubbed goes with it: a full file system would be fuller with each launch.
	return bundle.Remove(ctx, la.host.Dirs.Launches(), la.id, bundle.RemoveOptions{})
}

// end makes sure that no process of the launch is left.
func (la *launch) end(ctx context.Context) error {
	if la.process == nil {
		// A create that failed has ended what it began, as far as it could.
		return la.host.endLeft(ctx, la.id, la.leaf)
	}
	// Also when the process has ended: of a container nothing can be left then,
	// but a bare one may have left others.
	if err := la.kill(ctx); err != nil {
		return err
	}
	select {
	case <-la.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for pid %d: %w", la.process.Pid(), ctx.Err())
	}
}

// closeEnds gives up our ends of what the program was connected to.
func (la *launch) closeEnds() {
	closePassed(la.passed)
	if la.output != nil {
		done, cancel := context.WithCancel(context.Background())
		cancel() // await has waited for the last words; what never ran has none
		_ = la.output.Close(done)
	}
	if la.notify != nil {
		_ = la.notify.Close()
		la.notify = nil
	}
	if la.leafDir != nil {
		_ = la.leafDir.Close()
		la.leafDir = nil
	}
	if la.filter != nil {
		_ = la.filter.Close()
		la.filter = nil
	}
	la.leaveNamespace()
}

// removeWorkload has the runtime forget the container, and only then gives the
// pid of its init free: a runtime kills whatever has the pid in its state.
func (la *launch) removeWorkload(ctx context.Context) error {
	if la.work != nil {
		if err := la.work.remove(ctx); err != nil {
			return err
		}
	}
	return la.reap()
}

// reap takes the exit status away from the kernel: only now, so that it is
// there for whoever owns the process until the end.
func (la *launch) reap() error {
	if la.process == nil || la.reaped {
		return nil
	}
	if err := la.process.Reap(); err != nil {
		return err
	}
	la.reaped = true
	la.process.Close()
	la.host.children.remove(la.process.Pid())
	return nil
}
