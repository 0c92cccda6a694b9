package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/posture"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// promised notes how the container is to be isolated, before the runtime r makes it.
func (la *launch) promised(r *runtime.Runtime, spec *specs.Spec) error {
	if la.host.pretends || la.trying { // of nobody's gateway
		return nil
	}
	given := posture.Given{
		Rootless: os.Geteuid() != 0,
		Files:    append([]*os.File{la.output.Stdout(), la.output.Stderr()}, la.passed...),
		Stays:    la.gateway.Isolation.Init,
	}
	if la.within() {
		given.UIDs, given.GIDs = la.ids.Mappings()
	}
	promise, err := posture.Of(spec, given)
	if err != nil {
		return err
	}
	if r.Name() == "runc" && spec.Root.Readonly {
		// It makes the root read-only by a remount that takes the other flags away
		// (setReadonly of 1.1). no_new_privs and the user namespace do what they do.
		promise.Root.Flags = []string{"ro"}
	}
	la.promise = &promise
	return nil
}

// verified makes sure, once for a launch, that its program is isolated as promised.
// One that is not ends: another launch would be no better. The error is a
// posture.ErrEnded where the program has ended first, which is not for here to tell.
func (la *launch) verified(ctx context.Context) error {
	if la.promise == nil || la.proved.Load() {
		return nil // what differs since then is for who has asked again (verify)
	}
	began := time.Now()
	report, err := la.readBack(ctx)
	if err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return la.unfit(fmt.Errorf("%w: %w", supervisor.ErrPermanent, err))
	}
	la.proved.Store(true)
	info := la.tellVerified(report)
	fields := append(la.fields("posture"), zap.Duration("took", time.Since(began)))
	la.host.log().Info(la.gateway.Name+" is isolated, as the kernel shows: "+info.Posture, fields...)
	return nil
}

// verifyPause is the time between two looks at a process that is not the program
// yet. Nobody tells of an execve, which is under way when the runtime has returned.
const verifyPause = time.Millisecond

func (la *launch) readBack(ctx context.Context) (posture.Report, error) {
	for {
		report, err := la.promise.Verify(la.process.Pid())
		if !errors.Is(err, posture.ErrNotBegun) {
			return report, err
		}
		select {
		case <-time.After(verifyPause):
		case <-la.process.Exited():
			return report, posture.ErrEnded
		case <-ctx.Done():
			return report, err
		}
	}
}

func (la *launch) tellVerified(report posture.Report) Info {
	la.tell(func(i *Info) {
		i.Verified, i.Unseen = time.Time{}, report.Unseen
		if i.Differs = report.Differences(); len(i.Differs) == 0 {
			i.Verified = time.Now()
		}
	})
	return *la.info.Load()
}

// Verify reads back how launch n is isolated, also when it was verified before. What
// differs is in the Report, and told by Told: the launch goes on.
func (l *Launcher) Verify(ctx context.Context, n int) (report posture.Report, err error) {
	if l.find(n) == nil {
		return report, fmt.Errorf("verify launch %d: there is none", n)
	}
	err = l.turn(ctx, n, func(la *launch, _ context.Context) (err error) {
		report, err = la.verify()
		return err
	})
	return report, err
}

func (la *launch) verify() (posture.Report, error) {
	switch {
	case la.gateway.Isolation.Bare:
		return posture.Report{}, fmt.Errorf("verify launch %s: isolation.bare is set: it runs without a container", la.id)
	case !la.started || la.process == nil || la.reaped:
		return posture.Report{}, fmt.Errorf("verify launch %s: its program does not run", la.id)
	case la.promise == nil:
		return posture.Report{}, fmt.Errorf("verify launch %s: the gatewayd that has started it has noted no promise: restart the gateway", la.id)
	}
	report, err := la.promise.Verify(la.process.Pid())
	if err != nil {
		return report, fmt.Errorf("verify launch %s: %w", la.id, err)
	}
	la.tellVerified(report)
	return report, nil
}

// unfit ends the launch, and is its cause.
func (la *launch) unfit(cause error) error {
	la.fault.Store(&cause)
	return errors.Join(cause, la.work.kill(la.process))
}
