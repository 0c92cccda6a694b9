package proxy

import "time"

// rescuesMax is how often a connection goes back to the same launch. One that ends
// what it has accepted, again and again, means it. More than one, because a program
// that is being killed may lose its connections before its listener.
const rescuesMax = 2

// rescue sends a connection through which nothing has gone to the next launch. Call
// with the lock held.
func (c *conn) rescue() bool {
	if c.touched() || c.up.end == eof || c.up.end == noFrom || c.p.life == closed {
		return false
	}
	if c.left != c.launch.n {
		c.left, c.leaps = c.launch.n, 0
	}
	if c.leaps++; c.leaps > rescuesMax {
		return false
	}
	c.p.rescued++
	c.p.unassign(c)
	c.backend.Close()
	c.backend, c.phase, c.gone = nil, waiting, false
	c.up.end, c.down.end = going, going
	c.until, c.again = time.Now().Add(c.p.park), time.Time{}
	c.arm()
	c.begin()
	return true
}
