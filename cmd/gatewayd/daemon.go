package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/held"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/internal/metrics"
	"github.com/gatewayd/gatewayd/internal/redact"
	"github.com/gatewayd/gatewayd/internal/systemd"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

const (
	sweepTime    = 30 * time.Second
	callTime     = 10 * time.Second
	farewellTime = 2 * time.Second // for the journal to take the last records
	endTime      = time.Second     // for it to take that of a launch's end
)

// daemonOptions is what tells one kind of daemon from another.
type daemonOptions struct {
	name      string // of its directories
	temporary bool   // its directories go with it
	load      func(environment) (*config.Config, error)
	prepare   func(launch.Dirs) error                 // before the first launch; may be nil
	ready     func(runtime.Binary, []control.Gateway) // called once, when all is ready; may be nil
}

// daemon joins what one running gatewayd consists of.
type daemon struct {
	options    daemonOptions
	env        environment
	log        *zap.Logger
	level      zap.AtomicLevel
	sink       *journal.Sink // nil on a terminal
	writeLine  journal.Writer
	redact     *redact.Set
	host       *launch.Host
	opening    *opening
	lock       *launch.Lock
	notifier   systemd.Notifier
	supervisor *supervisor.Supervisor
	holding    *holding
	secretsDue chan string // of this gateway the secrets are to be read again
	metrics    *metrics.Metrics
	gateways   gateways
	signals    *signals
	reloading  sync.Mutex // one reload at a time
	announced  bool       // READY=1 was said
	confirming sync.WaitGroup
	written    chan struct{} // something is to be written down
	unwritten  sync.Map      // the gateways whose history could not be, with why
	unswept    []string      // what the sweep could not remove, an error each
	listener   *net.UnixListener
	reexecs    chan chan<- error
	onMain     chan func()       // called by the watch
	taking     *taking           // from an earlier image; nil: there was none
	takeover   *control.Takeover // the same, as it is told

	entered  chan struct{} // closed when enterErr is known; nil: no cgroup
	enterErr error
}

// runDaemon runs until it is asked to end, and returns what its exit code says.
func runDaemon(o daemonOptions) error {
	// First of all: a SIGTERM is obeyed at every moment from here on.
	s := catchSignals(o.temporary)
	defer s.stop()
	taking, err := takeOver(o)
	if err != nil {
		return err
	}
	env, err := captureEnvironment()
	if err != nil {
		return err
	}
	d := &daemon{options: o, env: env, signals: s, written: make(chan struct{}, 1), secretsDue: make(chan string, 64), redact: &redact.Set{}, reexecs: make(chan chan<- error), onMain: make(chan func()), taking: taking}
	d.notifier.Secrets = d.redact
	if taking != nil {
		taking.hide(d.redact)
		maps.Copy(d.env.values, taking.Environment)
	}
	c, err := d.configuration()
	if err != nil {
		return err
	}
	if err := guard(c); err != nil {
		return err
	}
	d.openLog(c.LogLevel)
	defer d.closeLog()
	if env.unwiped != nil {
		d.log.Warn("/proc/PID/environ still shows what gatewayd was started with", event("daemon-started"), zap.Error(env.unwiped))
	}
	return d.redact.Error(d.run(c)) // it goes to stderr and into STATUS=
}

// configuration is what the file says, or what was handed over: a fault that was
// written into the file since is no reason to lose what runs.
func (d *daemon) configuration() (*config.Config, error) {
	if d.taking != nil {
		return d.taking.handedConfig(), nil
	}
	return d.options.load(d.env)
}

func (d *daemon) run(c *config.Config) error {
	err := d.open(c)
	switch {
	case err == nil:
		err = d.serve(c)
	case d.signals.context().Err() != nil && errors.Is(err, context.Canceled):
		err = nil // asked to end before it was up: that is no failure
	}
	err = errors.Join(err, d.close())
	if err != nil {
		d.backOff(err)
		d.log.Error("gatewayd ends", event("daemon-stopped"), zap.Error(err))
		return err
	}
	d.log.Info("gatewayd ends", event("daemon-stopped"))
	return nil
}

// open takes hold of everything that the daemon needs, and makes it clean.
func (d *daemon) open(c *config.Config) error {
	if d.taking != nil {
		return d.regain()
	}
	cgroup, err := d.isolate()
	if err != nil {
		return err
	}
	d.log.Info("gatewayd "+version+" starts", event("daemon-started"), zap.Int("gateways", len(c.Gateways)))
	if err := d.takeDirectories(cgroup); err != nil {
		return err
	}
	d.openRuntime(c.Runtime)
	if err := d.awaitEntered(); err != nil {
		return err
	}
	if err := d.sweep(); err != nil {
		return err
	}
	if err := d.waitAfterFailures(); err != nil {
		return err
	}
	if d.options.prepare != nil {
		return d.options.prepare(d.host.Dirs)
	}
	return nil
}

// takeDirectories makes them ours alone.
func (d *daemon) takeDirectories(cgroup *runtime.Cgroup) error {
	dirs, err := launch.Directories(d.options.name, os.Geteuid(), d.env.get)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	if d.lock, err = dirs.Acquire(); err != nil {
		return err
	}
	d.openHost(dirs, cgroup, self, listen.NewSockets(d.env.sockets))
	return dirs.Create(os.Geteuid() == 0)
}

func (d *daemon) openHost(dirs launch.Dirs, cgroup *runtime.Cgroup, self string, sockets *listen.Sockets) {
	d.host = &launch.Host{
		Dirs: dirs, Cgroup: cgroup, Env: d.env.lookup, Self: self, Write: d.writeLine, Log: d.log, Redact: d.redact,
		Sockets: sockets, OnMainThread: d.onMainThread, Swept: d.tellSwept, Flush: d.tellEnded,
	}
	d.holding = newHolding(held.Store{Dir: dirs.Held(), Keys: dirs.Runtime})
	if d.env.systemd.Service { // systemd listens to no other process
		d.host.Keeper = store{d.notifier}
	}
}

// sweep removes what an earlier gatewayd left. What it cannot remove is no
// reason not to start: it is reported, and tried again next time.
func (d *daemon) sweep(spared ...string) error {
	ctx, cancel := context.WithTimeout(d.signals.context(), sweepTime)
	defer cancel()
	if _, err := d.host.Sweep(ctx, spared...); err != nil {
		d.unswept = strings.Split(err.Error(), "\n") // a joined error has a line for each
		d.log.Warn("sweep is incomplete; the next start tries again", event("sweep-cleaned"), zap.Error(err))
	}
	return d.signals.context().Err()
}

// tellSwept has the journal know before the launches cannot be told of any more.
func (d *daemon) tellSwept(ids []string) {
	for _, id := range ids {
		d.log.Info("swept what an earlier gatewayd left of "+id, event("sweep-cleaned"), zap.String("container_id", id))
	}
	_ = d.flush(d.signals.context(), farewellTime) // a journald that does not answer is not waited for
}

// tellEnded has the journal know of a launch's end before nothing of it is left.
func (d *daemon) tellEnded(ctx context.Context) {
	_ = d.flush(ctx, endTime) // nor here
}

// serve runs the gateways until the daemon is asked to end.
func (d *daemon) serve(c *config.Config) error {
	if err := d.listen(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d.supervisor = supervisor.New(d.observe)
	d.metrics = metrics.New(version, d.supervisor.Status)
	if err := d.begin(c); err != nil {
		return errors.Join(err, d.listener.Close(), d.shutdown())
	}
	d.dropSockets()
	books, closeBooks := context.WithCancel(context.Background())
	var booksClosed sync.WaitGroup
	booksClosed.Go(func() { d.keepBooks(books) })
	d.write()
	// Not before all gateways are there: a reload would add them, too.
	answered := make(chan error, 1)
	go func() { answered <- control.Serve(ctx, d.listener, d, d.redact) }()
	go d.notifier.KeepAlive(ctx, d.env.systemd.Watchdog, d.supervisor.Answers)
	holds, closeHolds := context.WithCancel(ctx)
	var holdsClosed sync.WaitGroup
	holdsClosed.Go(func() { d.keepHolds(holds) })
	holdsClosed.Go(func() { d.keepSecrets(holds) })
	err := d.watch(c)
	closeHolds() // from here on gateways end because gatewayd does, and stay held
	holdsClosed.Wait()
	err = errors.Join(err, d.shutdown())
	d.confirming.Wait() // it ends with the signal, and takes its container away
	cancel()
	err = errors.Join(err, <-answered)
	closeBooks()
	booksClosed.Wait()
	return err
}

func (d *daemon) listen() (err error) {
	if d.taking != nil {
		d.listener, err = control.Regain(d.taking.File(fileControl))
	} else {
		d.listener, err = control.Listen(d.host.Dirs.ControlSocket())
	}
	return err
}

// begin gives the supervisor its gateways.
func (d *daemon) begin(c *config.Config) error {
	if d.taking != nil {
		err := d.goOn()
		d.readAnew()
		return err
	}
	d.keepOnly(c)
	for _, g := range c.Gateways {
		if err := d.add(g); err != nil {
			return err
		}
	}
	return nil
}

// close gives everything up, in the reverse order of open.
func (d *daemon) close() error {
	if d.lock == nil {
		return nil // it owns nothing
	}
	var errs []error
	if d.options.temporary {
		ctx, cancel := context.WithTimeout(context.Background(), sweepTime)
		defer cancel()
		errs = append(errs, d.host.Dirs.Remove(ctx))
	}
	return errors.Join(append(errs, d.lock.Release())...)
}
