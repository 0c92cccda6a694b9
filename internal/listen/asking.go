package listen

import (
	"net"
	"time"
)

// asking is a connection that Dial has made to ask one launch. Where that has ended it is
// not rescued: an answer of another launch would be taken for its own.
type asking struct {
	*net.TCPConn
	p    *Port
	from any
}

// afterAsking is how long the source of a connection stays known after its end, which a
// rescue may find later. The kernel gives it to no other client meanwhile (TIME_WAIT).
const afterAsking = 5 * time.Second

func (p *Port) asks(c net.Conn) net.Conn {
	a := &asking{c.(*net.TCPConn), p, unmapped(c.LocalAddr().(*net.TCPAddr))}
	p.asking.Store(a.from, true)
	return a
}

func (a *asking) Close() error {
	time.AfterFunc(afterAsking, func() { a.p.asking.Delete(a.from) })
	return a.TCPConn.Close()
}

// asked says whether a connection that a rescue has accepted is one of Dial.
func (p *Port) asked(c net.Conn) bool {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false // it is over
	}
	_, is := p.asking.Load(unmapped(remote))
	return is
}
