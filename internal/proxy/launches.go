package proxy

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"syscall"
	"time"
)

// launch is one that can be dialled, or was until its last connection ends.
type launch struct {
	n      int
	dial   Dial
	header bool            // it wants a PROXY header
	count  int             // connections
	met    bool            // it could be dialled once
	down   bool            // the last dial failed
	scout  *conn           // while down: the one that tries again
	ctx    context.Context // of its dials
	cancel context.CancelFunc
}

func (l *launch) renew() { l.ctx, l.cancel = context.WithCancel(context.Background()) }

// SetPark takes the place of Options.Park, for connections that begin to wait from now on.
func (p *Proxy) SetPark(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.park = d
}

// Add makes launch n one that can be dialled, with a PROXY header as Options say.
func (p *Proxy) Add(n int, dial Dial) { p.AddAs(n, dial, p.options.ProxyProtocol) }

// AddAs is Add for a launch that has a say of its own in the PROXY header.
func (p *Proxy) AddAs(n int, dial Dial, header bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.launches[n]
	if l == nil {
		l = &launch{n: n}
		p.launches[n] = l
		l.renew()
	}
	l.dial, l.header, l.down, l.scout = dial, header, false, nil
	if p.life != live {
		l.cancel()
	}
	p.wake()
}

// Switch gives launch n share percent of the new connections; the rest goes to the
// launch that last got 100. 100: all. 0: none any more.
func (p *Proxy) Switch(n, share int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case share >= 100:
		p.serving, p.canary, p.share = n, 0, 0
	case share > 0:
		p.canary, p.share = n, share
	case p.canary == n:
		p.canary, p.share = 0, 0
	case p.serving == n:
		p.serving = 0
	}
	p.wake()
}

// Serves says whether launch n is the last that got 100.
func (p *Proxy) Serves(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.serving == n
}

// InFlight counts the connections of launch n: those relayed, and those being dialled.
func (p *Proxy) InFlight(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.launches[n]; l != nil {
		return l.count
	}
	return 0
}

// Remove forgets launch n, whose processes are gone, and returns how many connections
// that cuts: those through which bytes have gone and which have not ended yet. Their
// clients still get what the program had written, then an end of stream.
func (p *Proxy) Remove(n int) (cut int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.launches[n]
	if l == nil {
		return 0
	}
	delete(p.launches, n)
	l.cancel()
	for c := range p.conns {
		if c.launch != l || c.phase != relaying {
			continue
		}
		if c.touched() {
			cut++
		}
		c.gone = true
		c.arm()
	}
	p.wake() // those that wait for its program to come
	return cut
}

// assign chooses the launch of c, which counts there from now on.
func (p *Proxy) assign(c *conn) (*launch, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life != live {
		return nil, net.ErrClosed
	}
	c.seen = p.changes
	l := p.pick(c)
	if c.scouts != l {
		p.relieve(c)
	}
	if l == nil {
		return nil, ErrGone
	}
	l.count++
	c.launch = l
	return l, nil
}

func (p *Proxy) pick(c *conn) *launch {
	if c.steered != nil {
		if l := p.launches[c.steered.n]; l != nil && l.dial != nil {
			return l
		}
		return nil
	}
	if p.share > 0 && rand.IntN(100) < p.share {
		if l := p.launches[p.canary]; l.takes(c) {
			return l
		}
	}
	if l := p.launches[p.serving]; l.takes(c) {
		return l
	}
	return nil
}

// gives says whether l gets any of the new connections. Call with the lock held.
func (p *Proxy) gives(l *launch) bool {
	return p.launches[l.n] == l && (l.n == p.serving || l.n == p.canary)
}

// takes says whether c may dial l: while its program is not there, only one does.
func (l *launch) takes(c *conn) bool {
	return l != nil && l.dial != nil && (l.scout == nil || l.scout == c)
}

// unassign takes c from its launch. Call with the lock held.
func (p *Proxy) unassign(c *conn) {
	if c.launch != nil {
		c.launch.count--
		c.launch = nil
	}
}

// failed notes that c could not dial l, and makes c the one that tries on if there is none.
// It returns whom to tell of it; nil: nobody.
func (p *Proxy) failed(c *conn, l *launch, err error) (tell func(string, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unassign(c)
	if p.life != live || l.ctx.Err() != nil {
		return nil // it was us who ended the dial
	}
	if c.seen != p.changes {
		return nil // somebody may have reached it since this dial began: it says nothing of now
	}
	switch {
	case l.down:
	case !l.met && absent(err):
		tell = p.options.Debug
	default:
		tell = p.options.Log
	}
	l.down = true
	if l.scout == nil && c.steered == nil {
		l.scout, c.scouts = c, l
	}
	return tell
}

// absent says whether nobody listens there.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// answered notes that l can be dialled. Call with the lock held.
func (p *Proxy) answered(l *launch) {
	if l.down || !l.met {
		l.met, l.down, l.scout = true, false, nil
		p.wake()
	}
}

// relieve makes another connection the scout in place of c, if any of them may reach that
// launch: else each would hand the office on at once, in a circle. Call with the lock held.
func (p *Proxy) relieve(c *conn) {
	l := c.scouts
	c.scouts = nil
	if l == nil || l.scout != c {
		return
	}
	l.scout = nil
	if !p.gives(l) {
		return
	}
	for heir := range p.parked {
		if heir.scouts == nil && heir != c {
			l.scout, heir.scouts = heir, l
			heir.rouse()
			return
		}
	}
}

// wake makes all parked connections try again. Call with the lock held.
func (p *Proxy) wake() {
	p.changes++
	for c := range p.parked {
		c.rouse()
	}
}
