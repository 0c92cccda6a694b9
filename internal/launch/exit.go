package launch

import (
	"context"
	"syscall"
	"time"

	"github.com/gatewayd/gatewayd/internal/inside"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// drainTime bounds how long the last words of a program are waited for: as long
// as a journal that is merely busy may take, and more than the second after
// which one that is blocked is not waited for any more. All of the pipes are
// closed when the program is dead, unless it handed one to a stranger.
const drainTime = 2 * time.Second

// await returns the Exit of the launch when its process has ended. It takes what
// it needs as parameters, since it runs beside the launch's other methods.
func (la *launch) await(process *runtime.Process, work workload, leaf *runtime.Leaf, output *journal.Output) supervisor.Exit {
	<-process.Exited()
	la.endForked(process, work, leaf)
	// The output first: whoever reads the journal finds the last words of a
	// program before the record of its end.
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	_ = output.Close(ctx) // only says who outside still holds a pipe
	la.releasePorts()
	return la.exit(process.Status(), work, leaf)
}

// endForked ends what a bare process leaves behind: its end is the end of the
// launch. What is in a container has gone with the init.
func (la *launch) endForked(process *runtime.Process, work workload, leaf *runtime.Leaf) {
	if !la.gateway.Isolation.Bare {
		return
	}
	_ = work.kill(process) // Clean kills again, and tells
	if leaf == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	_ = leaf.Kill(ctx)
}

func (la *launch) exit(status runtime.Status, work workload, leaf memory) supervisor.Exit {
	exit := supervisor.Exit{Code: status.Code, Signal: status.Signal}
	if la.gateway.Isolation.Init && exit.Signal == 0 {
		// Our init is what ended; it tells how the program did.
		exit.Code, exit.Signal = inside.Outcome(la.info.Load().Pid, exit.Code)
	}
	if cause := la.fault.Load(); cause != nil {
		exit.Err = *cause
	}
	exit.OOM = exit.Signal == syscall.SIGKILL && oomKills(leaf) > la.survived.Load()
	if exit.Code != 0 {
		exit.Detail = la.host.Redact.String(work.words())
	}
	return exit
}

// memory is where the OOM kills of a launch are counted: its leaf.
type memory interface {
	Memory() (runtime.MemoryEvents, error)
}

// oomKills counts the processes of a launch that the kernel killed for want of
// memory. Such a kill is a SIGKILL like any other: only the cgroup's count tells
// it from an operator's, and only if it has grown since the program was known to
// work. A child may have been killed long before, and been done without.
func oomKills(leaf memory) int64 {
	events, err := leaf.Memory()
	if err != nil || !events.Known {
		return 0
	}
	return int64(events.OOMKill)
}
