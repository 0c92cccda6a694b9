package proxy

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// verdict is how a wait has ended.
type verdict int

const (
	tryAgain verdict = iota
	hasGone          // the client
	tooLate
	stopped // the Proxy
)

// The scout of a launch that cannot be dialled waits that long between two dials.
const (
	firstBackoff = time.Millisecond
	lastBackoff  = 10 * time.Millisecond
)

// park waits until there may be a launch for c.
func (c *conn) park() verdict {
	v, signs := c.beginPark()
	if signs == 0 {
		return v
	}
	left := awaitHangUp(c.client, signs)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	delete(c.p.parked, c)
	c.again = time.Time{}
	c.arm()
	switch {
	case c.p.life != live:
		return stopped
	case left:
		return hasGone
	}
	return tryAgain
}

// beginPark makes c one of those that wake finds, unless something has changed since
// it tried. It returns the signs that its client goes, or none and why not to wait.
func (c *conn) beginPark() (verdict, int16) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	now := time.Now()
	switch {
	case c.p.life != live:
		return stopped, 0
	case !now.Before(c.until):
		return tooLate, 0
	case c.seen != c.p.changes:
		return tryAgain, 0
	}
	c.again = c.until
	if c.scouts != nil && c.scouts.scout == c {
		c.backoff = min(max(2*c.backoff, firstBackoff), lastBackoff)
		if knock := now.Add(c.backoff); knock.Before(c.until) {
			c.again = knock
		}
	}
	c.p.parked[c] = struct{}{}
	c.arm()
	if c.p.resuming() {
		return 0, closedBoth
	}
	if c.signs == 0 {
		c.signs = signsOf(c.client)
	}
	return 0, c.signs
}

// resuming says that a launch serves, but Add has not said yet how it is dialled, after
// Resume. Who waits for that is not parked. Call with the lock held.
func (p *Proxy) resuming() bool {
	l := p.launches[p.serving]
	return l != nil && l.dial == nil
}

// closedBoth are the signs of poll(2) that a peer has closed both directions, or is lost.
const closedBoth = unix.POLLHUP | unix.POLLERR

// signsOf returns those that a client goes, from now on. On TCP a FIN has to do for
// that, unless it has come already: it is not for our wait then.
func signsOf(client stream) int16 {
	if client.LocalAddr().Network() != "tcp" || shows(client, unix.POLLRDHUP) {
		return closedBoth
	}
	return closedBoth | unix.POLLRDHUP
}

// awaitHangUp waits for the client to go, and says whether it has when its read
// deadline ends that. It takes nothing that was sent.
func awaitHangUp(client stream, signs int16) (has bool) {
	raw, err := client.SyscallConn()
	if err != nil {
		return true
	}
	// The poller is edge-triggered: each segment that comes wakes us, and so does the end.
	err = raw.Read(func(fd uintptr) bool {
		has = polled(fd, signs)
		return has
	})
	return has || !errors.Is(err, os.ErrDeadlineExceeded)
}

// shows says whether a socket shows one of the signs now.
func shows(s stream, signs int16) (has bool) {
	raw, err := s.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) { has = polled(fd, signs) })
	return has || err != nil
}

func polled(fd uintptr, signs int16) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	for {
		if _, err := unix.Poll(p, 0); !errors.Is(err, unix.EINTR) {
			return err != nil || p[0].Revents&signs != 0
		}
	}
}
