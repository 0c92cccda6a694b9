package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/probe"
	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// openProbe makes what the launch will be asked by.
func (la *launch) openProbe() error {
	p := la.gateway.Ready.Probe
	switch p.Kind {
	case config.ProbeHTTP:
		la.ask = probe.HTTP(p.URL, la.probedDial((*holding).dial), la.host.Redact)
	case config.ProbeTCP:
		la.ask = probe.TCP(p.URL, la.probedDial((*holding).reach))
	case config.ProbeUnix:
		la.ask = probe.Unix(la.root, p.URL)
	case config.ProbeExec:
		la.ask = la.askInside(p.Argv)
	case config.ProbeNotify:
		return la.openNotify()
	}
	return nil
}

// probedDial is how the probe comes to this launch and no other, by the address
// that clients use; nil: as the probe says.
func (la *launch) probedDial(by func(*holding, context.Context, int) (net.Conn, error)) probe.Dial {
	l, ok := la.gateway.ProbedListen()
	if !ok {
		return nil
	}
	return func(ctx context.Context) (net.Conn, error) {
		for _, h := range la.holdings() {
			if h.listen.Name == l.Name {
				return by(h, ctx, la.n)
			}
		}
		return nil, errors.New("the launch has ended")
	}
}

// askInside is the probe by a program that runs inside. Where that exits by
// itself, nsenter reaps it.
func (la *launch) askInside(argv []string) probe.Probe {
	ask := probe.Exec(func(ctx context.Context) *exec.Cmd { return la.enter(ctx, argv) }, la.host.Redact)
	return func(ctx context.Context) error {
		err := ask(ctx)
		if err != nil {
			_ = runtime.ReapEntered() // what it could not is left for reapOrphans
		}
		return err
	}
}

// probe is called beside the other methods, but never before start returned.
func (la *launch) probe(ctx context.Context) error {
	if la.ask == nil {
		return nil
	}
	ctx, done, err := la.asking.begin(ctx)
	if err != nil {
		return fmt.Errorf("probe launch %s: %w", la.id, err)
	}
	defer done()
	defer la.host.children.hold()()
	kills := oomKills(la.leaf)
	if err := la.ask(ctx); err != nil {
		la.mendPorts()
		return la.unasked(err)
	}
	la.seen()
	if err := la.verified(ctx); err != nil {
		return err
	}
	la.survived.Store(kills)
	la.holdNamespace()
	return nil
}

// openNotify makes the socket for READY=1 in a directory of its own, which is
// all of the launch's directory that the container sees. It is container root's:
// nobody else may speak for the gateway, and crun wants to read it.
func (la *launch) openNotify() (err error) {
	dir := la.notifyHostDir()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("create notify directory: %w", err)
	}
	step.Done("notify-dir-made")
	if !la.gateway.Isolation.Bare {
		uid, gid := la.host.ids()
		if err := os.Lchown(dir, uid, gid); err != nil {
			return fmt.Errorf("create notify directory: %w", err)
		}
	}
	la.notify, err = probe.ListenNotify(filepath.Join(dir, "notify"), la.host.Redact)
	if err == nil {
		la.ask = la.notify.Probe
	}
	return err
}

// root is the directory that the gateway sees as /.
func (la *launch) root() (string, error) {
	if la.gateway.Isolation.Bare {
		return "/", nil
	}
	return fmt.Sprintf("/proc/%d/root", la.info.Load().Pid), nil
}
