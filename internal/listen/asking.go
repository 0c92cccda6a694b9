package listen

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// asking is a connection that Dial has made to ask one launch. Where that has ended it is
// not rescued: an answer of another launch would be taken for its own. It is known by the
// cookie of its server's side; its source may soon be another client's.
type asking struct {
	*net.TCPConn
	p      *Port
	cookie uint64
}

// afterAsking is how long a connection stays known after its end, which a rescue may find
// later.
const afterAsking = 5 * time.Second

func (p *Port) asks(r reached) net.Conn {
	p.asking.Store(r.cookie, true)
	return &asking{r.Conn.(*net.TCPConn), p, r.cookie}
}

func (a *asking) Close() error {
	time.AfterFunc(afterAsking, func() { a.p.asking.Delete(a.cookie) })
	return a.TCPConn.Close()
}

// asked says whether a connection that a rescue has accepted is one of Dial.
func (p *Port) asked(c *net.TCPConn) (is bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) { // it is over if this fails
		if cookie, err := unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE); err == nil {
			_, is = p.asking.Load(cookie)
		}
	})
	return is
}
