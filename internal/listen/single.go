package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// cost is what a port without slots does not have.
const cost = "all launches accept from one socket: who answers a probe cannot be told, a warming launch gets connections of clients, a canary has no share, and a drain cannot count"

// openUnsteered opens one socket for all where slots cannot be had.
func openUnsteered(o Options, at address, cause error) (*Port, error) {
	return openOne(o, at, fmt.Sprintf("slots cannot be had (%v): %s", cause, cost))
}

func openOne(o Options, at address, why string) (*Port, error) {
	dropOthers(o, at)
	m := &member{name: slotName(0)}
	var err error
	anew := false
	files := o.Sockets.take(at.key(m.name))
	if m.fd, err = pick(files, func(fd int) error { return fitsAlone(fd, at) }); err != nil {
		if len(files) > 0 {
			dropAll(o, at, []*member{m})
			o.log("opening the socket anew", fmt.Errorf("what was kept of %s is of no use: %w", at, err))
		}
		if m.fd, err = at.listen(o.Backlog); err != nil {
			return nil, err
		}
		anew = o.State != nil
	}
	if err := unix.Listen(m.fd, o.Backlog); err != nil {
		m.close()
		return nil, fmt.Errorf("listen on %s: %w", at, err)
	}
	step.Done("socket-listens")
	p := newPort(o, at, Shared, []*member{m})
	p.why = why
	p.anew.Store(anew)
	p.keep()
	return p, nil
}

// fitsAlone is fits for the one socket of a port; a unix socket has to be in its place, too.
func fitsAlone(fd int, at address) error {
	if err := fits(fd, at, false); err != nil || at.path == "" {
		return err
	}
	return inPlace(fd, at.path)
}

// dropOthers forgets what was kept of a port that had slots.
func dropOthers(o Options, at address) {
	for _, m := range blankGroup()[1:] {
		files := o.Sockets.take(at.key(m.name))
		for _, f := range files {
			f.Close()
		}
		if len(files) > 0 {
			dropAll(o, at, []*member{m})
		}
	}
}

// openInherited takes the socket of a socket unit, which stays systemd's own.
func openInherited(o Options, name string) (*Port, error) {
	files := o.Sockets.take(name)
	if len(files) != 1 {
		o.Sockets.giveBack(name, files...)
		return nil, fmt.Errorf("listen on %s: systemd has handed over %d sockets of this name, not one: start gatewayd by its socket unit, with FileDescriptorName=%s for one ListenStream=", o.Address, len(files), name)
	}
	fd, err := adopt(files[0])
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", o.Address, err)
	}
	at, err := inheritedAt(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen on %s: %w", o.Address, err)
	}
	p := newPort(o, at, Shared, []*member{{fd: fd, name: slotName(0)}})
	p.lent, p.why = name, "the socket is systemd's: "+cost
	return p, nil
}

func inheritedAt(fd int) (address, error) {
	at, err := boundTo(fd)
	if err != nil {
		return at, err
	}
	if !listening(fd) {
		return at, errors.New("it does not listen: the socket unit wants ListenStream= and Accept=no")
	}
	return at, unix.SetNonblock(fd, true)
}

// giveBack leaves the socket to whoever asks for its name again.
func (p *Port) giveBack() error {
	f, err := duplicate(p.members[0].fd, p.lent)
	if err == nil {
		p.o.Sockets.giveBack(p.lent, f)
	}
	return err
}

func (p *Port) dialShared(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	d.SetMultipathTCP(false)
	if p.at.path != "" {
		return d.DialContext(ctx, "unix", p.at.path)
	}
	return d.DialContext(ctx, "tcp", p.at.dial())
}

// listen makes a socket that shares with nobody.
func (a *address) listen(backlog int) (int, error) {
	if a.path != "" {
		return listenUnix(a.path, backlog)
	}
	if err := vacant(a); err != nil {
		return -1, err
	}
	fd, err := newSocket(*a, false)
	if err != nil {
		return -1, fmt.Errorf("listen on %s: %w", a, err)
	}
	return fd, os.NewSyscallError("listen", unix.Listen(fd, backlog))
}

func (p *Port) mendShared() error {
	if p.at.path != "" {
		return p.mendUnix()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	if listening(p.members[0].fd) {
		return nil
	}
	p.o.Log("listening again", fmt.Errorf("%s was shut down by a program", p.at))
	return os.NewSyscallError("listen", unix.Listen(p.members[0].fd, p.o.Backlog))
}
