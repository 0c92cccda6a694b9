package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// container is the workload of a launch that the runtime isolates.
type container struct {
	runtime *runtime.Runtime
	id      string
	created *runtime.Container
}

func (c *container) start(ctx context.Context) (*runtime.Process, error) {
	if err := c.created.Start(ctx); err != nil {
		return nil, err
	}
	return c.created.Process(), nil
}

func (c *container) kill(process *runtime.Process) error { return process.Signal(syscall.SIGKILL) }

func (c *container) remove(ctx context.Context) error { return c.runtime.Delete(ctx, c.id) }

func (c *container) words() string {
	if c.created == nil {
		return ""
	}
	return c.created.Words()
}

// create writes config.json and has the runtime make the container, which is
// then blocked before its program starts.
func (la *launch) create(ctx context.Context) error {
	spec, err := la.spec()
	if err != nil {
		return permanent(err)
	}
	if err := la.openFilter(spec.Linux.Seccomp); err != nil {
		return err
	}
	r, err := la.runtime(ctx)
	if err != nil {
		return err
	}
	if r.Name() == "youki" {
		spec.Linux.Seccomp = forYouki(spec.Linux.Seccomp)
	}
	uid, _ := la.host.ids()
	la.tell(func(i *Info) { i.Runtime, i.Posture = r.Name(), postureOf(spec, uid, la.gateway) })
	work := &container{runtime: r, id: la.id}
	if la.host.Cgroup != nil {
		go la.host.Cgroup.Hasten()
	}
	la.work = work // from here on, Clean asks the runtime to delete it
	work.created, err = la.createIn(ctx, r, spec)
	if work.created == nil {
		return held(err)
	}
	closePassed(la.passed)
	la.passed = nil
	la.watch(work.created.Process())
	return errors.Join(err, la.record())
}

// createIn has the runtime make the container, by a user with several ids in a
// user namespace that was made before: see the runtime package's Within.
// A container that is returned beside an error is there.
func (la *launch) createIn(ctx context.Context, r *runtime.Runtime, spec *specs.Spec) (*runtime.Container, error) {
	options := runtime.CreateOptions{
		Bundle: la.dir, Dir: la.dir, Stdout: la.output.Stdout(), Stderr: la.output.Stderr(), Leaf: la.leaf,
	}
	if err := la.openPassed(); err != nil {
		return nil, err
	}
	options.ExtraFiles = la.passed
	if err := la.granted(r); err != nil {
		return nil, permanent(err)
	}
	if !la.within() {
		return la.createExposed(ctx, r, spec, options)
	}
	namespace, err := bundle.HoldNamespace(ctx, Helper, la.ids)
	if ctx.Err() != nil {
		return nil, cutShort(ctx, namespace)
	}
	if err != nil {
		return nil, lasting(err)
	}
	options.Within = namespace.Pid
	created, err := la.createExposed(ctx, r, spec, options)
	return created, errors.Join(err, namespace.Close())
}

// createExposed has the secrets lie where the runtime reads them, for as long as
// it takes to create the container and no longer, whatever comes of it.
func (la *launch) createExposed(ctx context.Context, r *runtime.Runtime, spec *specs.Spec, options runtime.CreateOptions) (*runtime.Container, error) {
	defer la.tellWindow(time.Now())
	err := errors.Join(la.writeSecrets(), bundle.WriteConfig(la.dir, spec))
	if err == nil {
		err = la.promised(r, spec)
	}
	var created *runtime.Container
	if err == nil {
		created, err = r.Create(ctx, la.id, options)
	}
	la.clearSecrets()
	return created, errors.Join(err, la.removeSecrets(ctx), la.scrub(spec))
}

// cutShort: whatever went wrong then is nobody's fault, and no reason not to try
// again.
func cutShort(ctx context.Context, namespace *bundle.Namespace) error {
	err := fmt.Errorf("make a user namespace: %w", ctx.Err())
	if namespace != nil {
		err = errors.Join(err, namespace.Close())
	}
	return err
}

// within: root maps what it likes, and a single id needs nobody's leave.
func (la *launch) within() bool { return os.Geteuid() != 0 && !la.ids.Single() }

// held says in the supervisor's own words that a process may be left, so that it
// holds the next launch back.
func held(err error) error {
	if errors.Is(err, runtime.ErrRunning) {
		return fmt.Errorf("%w: %w", supervisor.ErrRunning, err)
	}
	return err
}

// runtime is what makes the container. Where there is none the gateway does not
// run: nothing falls back to a plain process.
func (la *launch) runtime(ctx context.Context) (*runtime.Runtime, error) {
	r, err := la.host.Runtime(ctx)
	if errors.Is(err, runtime.ErrNoRuntime) {
		return nil, permanent(err)
	}
	return r, err
}

// scrub sees to it that from now on no file holds a value of the environment:
// the runtime has read config.json and never needs it again. crun has made a
// copy, which it does need, but for the environment.
func (la *launch) scrub(spec *specs.Spec) error {
	spec.Process.Env = nil
	if err := bundle.ScrubConfig(la.dir); err != nil {
		return err
	}
	state := filepath.Join(la.host.Dirs.RuntimeRoot(), la.id)
	if _, err := os.Lstat(filepath.Join(state, "config.json")); err != nil {
		return nil // the runtime keeps no copy
	}
	if err := bundle.ScrubConfig(state); err != nil {
		return err
	}
	return bundle.WriteConfig(state, spec)
}

// spec is the config.json of the launch.
func (la *launch) spec() (*specs.Spec, error) {
	plan, err := la.plan()
	if err != nil {
		return nil, err
	}
	if la.packaged == nil {
		return plan.Spec(nil)
	}
	spec, err := plan.SpecOf(la.packaged)
	return spec, la.advise(err)
}

func (la *launch) plan() (bundle.Plan, error) {
	g := la.gateway
	ids := la.ids
	if g.Isolation.Bare { // what a container would have, of which little is used
		ids = bundle.SingleID(la.host.ids())
	}
	mounts, err := la.mounts()
	if err != nil {
		return bundle.Plan{}, err
	}
	profile, err := la.seccomp()
	if err != nil {
		return bundle.Plan{}, err
	}
	plan := bundle.Plan{
		ID: la.id, Rootfs: la.staged.Root, Overlay: la.staged.Overlay, Hostname: g.Name,
		Args: la.command(), Cwd: g.Workdir, Env: la.environment(),
		Mounts: mounts, IDs: ids, InNamespace: la.within(),
		Network: g.Isolation.Network, ReadOnly: g.Isolation.ReadOnly, Tmp: g.Isolation.Tmp, Limits: limits(g),
		Seccomp: profile, SeccompChosen: g.Isolation.Seccomp != "default",
		Given:    bundle.Given{Capabilities: g.Isolation.Capabilities, NewPrivileges: g.Isolation.NewPrivs, Unmask: g.Isolation.Unmask},
		Override: g.Isolation.Override || g.Isolation.Bare,
	}
	if la.leaf != nil {
		plan.CgroupsPath = la.leaf.Path()
	}
	if g.Isolation.Network == bundle.NetworkNone {
		plan.Hooks = []specs.Hook{{Path: la.host.Self, Args: []string{"gatewayd", "hook", "loopback"}}}
	}
	if g.Isolation.Init {
		plan.Init = la.host.Self
	}
	return plan, nil
}
