package listen

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// slots is how many launches of a gateway can have a socket of a port at once.
const slots = 8

const (
	control     = slots // where the control socket is in Port.members
	controlName = "control"
)

// blankGroup is a group without its sockets, in the order of Port.members.
func blankGroup() []*member {
	var group []*member
	for n := range slots {
		group = append(group, &member{fd: -1, name: slotName(n), mark: slotMark(n), place: n + 1})
	}
	return append(group, &member{fd: -1, name: controlName, mark: controlMark})
}

// openSlots opens the group of an address, or the one socket where the kernel does not steer.
func openSlots(ctx context.Context, o Options, at address) (*Port, error) {
	group, taken := takeGroup(o, at)
	if !taken {
		if err := vacant(&at); err != nil {
			return nil, err
		}
		var err error
		if group, err = makeGroup(at, o.Backlog); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", at, err)
		}
	}
	p := newPort(o, at, Slots, group)
	if taken {
		if err := p.resume(o.State); err != nil {
			p.Leave()
			return nil, err
		}
	}
	err := p.establish(ctx)
	var stranger *TakenError
	switch {
	case err == nil:
	case taken: // giving it up would be worse
		p.o.Log("taking over "+at.String(), err)
	case errors.As(err, &stranger) || ctx.Err() != nil:
		p.Leave()
		return nil, err
	default:
		p.Leave()
		return openUnsteered(o, at, err)
	}
	p.keep()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrangeRescues()
	return p, nil
}

// vacant finds out whether a socket that shares with nobody can have the address: with
// SO_REUSEPORT alone we would join whoever of the same user is there. It sets port 0.
func vacant(at *address) error {
	fd, err := newSocket(*at, false)
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return taken(*at, nil)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("listen on %s: %w: let systemd open it in a socket unit and give its name as systemd:NAME, or lower net.ipv4.ip_unprivileged_port_start", at, err)
	case err != nil:
		return fmt.Errorf("listen on %s: %w", at, err)
	}
	defer unix.Close(fd)
	bound, err := boundTo(fd)
	at.on = bound.on
	return err
}

// makeGroup makes all members at once. The control socket is the first to listen: as no
// program can shut it down, its place 0 never changes.
func makeGroup(at address, backlog int) ([]*member, error) {
	group := blankGroup()
	var err error
	for _, m := range group {
		if m.fd, err = newSocket(at, true); err != nil {
			closeAll(group)
			return nil, err
		}
	}
	for i := range group {
		m := group[(control+i)%len(group)]
		if err := m.prepare(backlog); err != nil {
			closeAll(group)
			return nil, err
		}
	}
	return group, nil
}

// prepare makes m listen as it should; it may do so already.
func (m *member) prepare(backlog int) error {
	if err := m.mark.set(m.fd); err != nil {
		return err
	}
	if m.name != controlName { // so that no program attaches a filter through its slot
		if err := setAll(m.fd, []option{{unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1}}); err != nil {
			return err
		}
	}
	err := unix.Listen(m.fd, backlog)
	step.Done("socket-listens")
	return os.NewSyscallError("listen", err)
}

func closeAll(group []*member) {
	for _, m := range group {
		if m.fd >= 0 {
			m.close()
		}
	}
}
