package proxy

import "time"

// phase is where a connection stands.
type phase int

const (
	waiting  phase = iota // for a launch, or for its dial
	relaying              // to a launch
	refusing              // has waited too long
)

// abandoned is how long a client may be silent when nothing can come back to it any more.
const abandoned = time.Minute

// conn is one client and, while it is relayed, its backend. The lock of the Proxy
// guards it, but for the ways while their goroutines run.
type conn struct {
	p       *Proxy
	client  stream
	backend stream
	phase   phase
	launch  *launch   // counts it; nil: none
	scouts  *launch   // for which it tries whether it can be dialled
	steered *steering // by Proxy.Dial; nil: an ordinary client

	until   time.Time     // parked no longer than that
	again   time.Time     // parked: tries again then; refusing: lingers until then
	backoff time.Duration // between two dials
	seen    int           // Proxy.changes when it last tried
	signs   int16         // of poll(2), that the client has gone; 0: it has not been parked

	up, down way
	ways     int   // that run
	owed     bool  // the backend has ended before any byte went through
	gone     bool  // nothing can be delivered to the backend any more
	half     bool  // the backend has ended its direction
	progress int64 // of up, when half last looked
	left     int   // the launch it was last rescued from
	leaps    int   // how often from that one
}

// touched says whether a byte has gone through.
func (c *conn) touched() bool { return c.up.moved.Load() > 0 || c.down.moved.Load() > 0 }

// dialling says whether c is on its way to a launch, or is about to choose one, as when
// it was accepted or roused this moment; not whether it waits for one to come, or to
// listen. Call with the lock held.
func (c *conn) dialling() bool {
	_, parked := c.p.parked[c]
	return c.phase == waiting && !parked && (c.launch == nil || !c.launch.down)
}

// begin sets c going from where it stands. Call with the lock held.
func (c *conn) begin() {
	switch {
	case c.p.life != live:
	case c.phase == relaying:
		c.relay()
	default:
		c.p.spawn(c.serve)
	}
}

// arm sets the deadlines that follow from where c stands. Nobody else sets any, so
// that none undoes another. Call with the lock held.
func (c *conn) arm() {
	var read, write, take, deliver time.Time // from the client, to it; from the backend, to it
	switch {
	case c.p.life != live:
		read, write, take, deliver = past, past, past, past
	case c.phase == waiting, c.phase == refusing:
		read, write = c.again, c.again
	case c.owed, c.gone:
		read, deliver = past, past
	case c.half:
		read = time.Now().Add(c.p.abandoned)
	}
	setDeadlines(c.client, read, write)
	if c.backend != nil {
		setDeadlines(c.backend, take, deliver)
	}
}

// setDeadlines fails only on a socket that is closed: nothing waits there.
func setDeadlines(s stream, read, write time.Time) {
	_ = s.SetReadDeadline(read)
	_ = s.SetWriteDeadline(write)
}

// rouse makes a parked connection try again: it is parked no more, though its goroutine
// may take a while to notice. Call with the lock held.
func (c *conn) rouse() {
	delete(c.p.parked, c)
	c.again = past
	c.arm()
}

// cut closes both ends. Call with the lock held; it forgets nothing.
func (c *conn) cut() {
	c.client.Close()
	if c.backend != nil {
		c.backend.Close()
	}
}

// forget closes c and lets another one in. Call with the lock held.
func (p *Proxy) forget(c *conn) {
	c.cut()
	p.unassign(c)
	p.relieve(c)
	delete(p.conns, c)
	select {
	case p.room <- struct{}{}:
	default: // somebody will look anyway
	}
}
