package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// holding is what a launch has of a port: a slot that its program accepts on, or
// a place behind the proxy.
type holding struct {
	*port
	listen config.Listen
	slot   *listen.Slot // nil: behind the proxy
	seat   *seat        // behind the proxy
	target target       // behind the proxy: where the program listens
}

// takePorts gives the launch its part of each port of its gateway, in the order
// of the configuration.
func (la *launch) takePorts(ctx context.Context) error {
	var held []*holding
	defer func() { la.held.Store(&held) }()
	for _, l := range la.gateway.Listen {
		if err := la.ports.reach(ctx, l); err != nil {
			return err // not for good: the path may be there again for the next launch
		}
		h, err := la.ports.hold(ctx, l)
		if err != nil {
			return la.withoutPort(ctx, err)
		}
		held = append(held, h)
		if err := la.takePart(ctx, h); err != nil {
			return fmt.Errorf("listen %s: %w", l.Name, err)
		}
	}
	return nil
}

// withoutPort: what waited for an address of ours may have it the next time.
func (la *launch) withoutPort(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return permanent(err)
}

// takePart gets what is the launch's own.
func (la *launch) takePart(ctx context.Context, h *holding) (err error) {
	switch {
	case h.seat == nil && la.spare:
		h.slot, err = h.TakeSpare(ctx)
		return err
	case h.seat == nil:
		h.slot, err = h.Take(ctx)
		return err
	}
	h.target, err = la.makeTarget(h.listen.To)
	return err
}

// holdings are none before takePorts. They may be asked for beside the launch's
// other methods.
func (la *launch) holdings() []*holding {
	if held := la.held.Load(); held != nil {
		return *held
	}
	return nil
}

// inherited are those of the sockets that the program gets as descriptors 3, 4, …
func (la *launch) inherited() []*holding {
	var slots []*holding
	for _, h := range la.holdings() {
		if h.slot != nil {
			slots = append(slots, h)
		}
	}
	return slots
}

// openPassed makes the copies that the program inherits.
func (la *launch) openPassed() error {
	for _, h := range la.inherited() {
		file, err := h.slot.File()
		if err != nil {
			return fmt.Errorf("listen %s: copy the socket: %w", h.listen.Name, err)
		}
		la.passed = append(la.passed, file)
	}
	return nil
}

// closePassed gives our copies up, once the program has its own or never will.
// runc turns O_NONBLOCK off on its way (Fd of an os.File, up to Go 1.20), and that
// belongs to the open file, which the programs of other launches may share: one
// that runs would hang in accept(2).
func closePassed(files []*os.File) {
	for _, file := range files {
		if conn, err := file.SyscallConn(); err == nil {
			_ = conn.Control(func(fd uintptr) { _ = unix.SetNonblock(int(fd), true) })
		}
		_ = file.Close()
	}
}

// behindProxy lets the proxies connect to the program, which may listen from now
// on, with the header that its own revision asks for.
func (la *launch) behindProxy() {
	la.behind = true
	la.adding.Lock()
	defer la.adding.Unlock()
	for _, h := range la.holdings() { // none, if it has ended already
		if h.seat != nil {
			h.seat.AddAs(la.n, h.target.dial, h.listen.ProxyProtocol)
		}
	}
}

// releasePorts gives back what the launch had of the ports, when nothing of it
// can use that any more. A second call does nothing.
func (la *launch) releasePorts() {
	la.adding.Lock() // nothing is added that nobody would remove, and a handover finds all of it or nothing
	defer la.adding.Unlock()
	held := la.held.Swap(nil)
	if held == nil {
		return
	}
	for _, h := range *held {
		if h.slot != nil {
			h.slot.Release()
			la.left = append(la.left, h.port)
		}
		if h.seat != nil {
			h.seat.Remove(la.n)
		}
		h.leave(la.ports, h.seat)
	}
}

// mendLeft has a look at what the program may have done to the slots that it had.
// Not as they are released: who takes over would have to share the processors.
func (la *launch) mendLeft() {
	for _, port := range la.left {
		la.ports.mend(port)
	}
	la.left = nil
}

// mendPorts has a look at what the program may have done to its slots.
func (la *launch) mendPorts() {
	for _, h := range la.inherited() {
		la.ports.mend(h.port)
	}
}

// steer gives the launch share percent of the new connections of the port.
func (h *holding) steer(n, share int) error {
	if h.seat != nil {
		return h.port.steer(h.seat, h.seat.slot, n, share)
	}
	return h.port.steer(nil, h.slot, n, share)
}

// serves says whether the launch is the last that got all new connections here.
func (h *holding) serves(n int) bool {
	if h.seat != nil {
		return h.servedBy(h.seat) && h.seat.Serves(n)
	}
	return h.slot.Index() == h.Steered()
}

// inFlight counts the connections that the launch has here.
func (h *holding) inFlight(n int) (int, error) {
	if h.seat != nil {
		return h.seat.InFlight(n), nil
	}
	count, err := h.slot.InFlight()
	if errors.Is(err, listen.ErrShared) {
		return 0, fmt.Errorf("%w: %w", supervisor.ErrUncounted, err)
	}
	return count, err
}

// dial connects to the launch as a client does.
func (h *holding) dial(ctx context.Context, n int) (net.Conn, error) {
	switch {
	case h.slot != nil:
		return h.slot.Dial(ctx)
	case h.proxyAccepts(h.seat):
		return h.seat.Dial(ctx, n)
	}
	return h.target.dial(ctx) // clients do not come this way yet, and who would accept nobody knows
}

// reach is dial for who asks nothing: it waits until the program has accepted. The
// kernel makes connections for one that does not, too.
func (h *holding) reach(ctx context.Context, n int) (net.Conn, error) {
	conn, err := h.dial(ctx, n)
	if err != nil || h.slot == nil {
		return conn, err
	}
	if err := h.slot.Accepted(ctx, conn); err != nil {
		return nil, errors.Join(fmt.Errorf("the program does not accept: %w", err), conn.Close())
	}
	return conn, nil
}
