package listen

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxRelays   = 256 // of one port; more wait in their queue
	maxReaching = 32  // each of them makes the program longer
)

// rescue accepts from one socket, by a copy of its own: only that is watched by Go's
// poller, and closing it is the end of the rescue and not of the socket.
type rescue struct {
	socket *os.File
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{}
}

// arrangeRescues holds the rule: gatewayd accepts from each socket that no launch holds
// and that new connections do not go to, and from no other one. With the lock.
func (p *Port) arrangeRescues() {
	if p.kind == Shared {
		return
	}
	for n, m := range p.members {
		wanted := !p.closed && !m.held && n != p.serving
		if m.rescue != nil && (!wanted || m.rescue.over()) {
			m.rescue.end()
			m.rescue = nil
		}
		if wanted && m.rescue == nil {
			p.startRescue(m)
		}
	}
}

func (p *Port) stopRescues() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrangeRescues()
}

func (p *Port) startRescue(m *member) {
	socket, err := duplicate(m.fd, p.at.key(m.name))
	if err != nil {
		p.o.Log("rescuing connections", err)
		return
	}
	ctx, stop := context.WithCancel(p.ctx)
	m.rescue = &rescue{socket, ctx, stop, make(chan struct{})}
	go p.rescueFrom(m.rescue)
}

func (r *rescue) over() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// end returns when nothing is accepted any more.
func (r *rescue) end() {
	r.stop()
	r.socket.Close()
	<-r.done
}

// rescueFrom ends when r is stopped, or when a program has shut the socket down: Mend
// begins anew.
func (p *Port) rescueFrom(r *rescue) {
	defer close(r.done)
	for acquire(r.ctx, p.relaying) {
		c, err := r.accept()
		switch {
		case err == nil:
			p.relayed.Go(func() {
				defer func() { <-p.relaying }()
				p.relay(c)
			})
			continue
		case errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EINVAL):
			<-p.relaying
			return
		}
		<-p.relaying
		pause(r.ctx) // no descriptor is left, or a connection that is over already
	}
}

func (r *rescue) accept() (*net.TCPConn, error) {
	raw, err := r.socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var errno error
	err = raw.Read(func(l uintptr) bool {
		// Whoever still has a copy could make it block: then for no longer than to the next connection.
		_ = unix.SetNonblock(int(l), true)
		fd, _, errno = unix.Accept4(int(l), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		return errno != unix.EAGAIN
	})
	if err = errors.Join(err, errno); err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "rescued")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

func acquire(ctx context.Context, limit chan struct{}) bool {
	select {
	case limit <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func pause(ctx context.Context) {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
	}
}
