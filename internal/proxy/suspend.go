package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// State is what another image of this process needs to go on, beside the files.
type State struct {
	Serving, Canary, Share     int
	Accepted, Refused, Rescued int64
	Conns                      []ConnState
}

// ConnState is one connection between two bytes. Launch 0: it waits for one.
type ConnState struct {
	Launch   int           `json:",omitzero"`
	Client   int           // index of its file
	Backend  int           `json:",omitzero"` // likewise, of one that is relayed
	Up, Down WayState      `json:",omitzero"`
	Gone     bool          `json:",omitzero"` // nothing can be delivered to the backend
	Left     int           `json:",omitzero"` // the launch it was rescued from
	Leaps    int           `json:",omitzero"` // how often
	Park     time.Duration `json:",omitzero"` // how long it still waits
}

// WayState is one direction of a connection.
type WayState struct {
	Pending []byte `json:",omitzero"` // read from one side, to be written to the other
	Moved   int64  `json:",omitzero"`
	End     int    `json:",omitzero"`
}

// Suspend stops accepting, and every relay between two bytes, and returns what Resume
// needs: the files are copies, which belong to the caller. What cannot be suspended
// (no descriptors for the copies, ctx ends) goes on as if nothing had been asked.
// Until Continue or Close nothing moves, and InFlight tells what there was.
func (p *Proxy) Suspend(ctx context.Context) (State, []*os.File, error) {
	p.mu.Lock()
	if p.life != live {
		p.mu.Unlock()
		return State{}, nil, errors.New("suspend proxy: it is not running")
	}
	p.halt(suspended)
	calm := p.whenCalm()
	p.mu.Unlock()
	select {
	case <-calm:
	case <-ctx.Done():
		go p.Continue() // as soon as a dial that does not heed its context has returned
		return State{}, nil, fmt.Errorf("suspend proxy: %w", ctx.Err())
	}
	s, files, err := p.describe()
	if err != nil {
		closeAll(files)
		p.Continue()
		return State{}, nil, fmt.Errorf("suspend proxy: copy a connection: %w", err)
	}
	return s, files, nil
}

// Continue undoes Suspend, also one that has not returned yet.
func (p *Proxy) Continue() {
	p.mu.Lock()
	if p.life != suspended {
		p.mu.Unlock()
		return
	}
	calm := p.whenCalm()
	p.mu.Unlock()
	<-calm // what begins again must have ended
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life == suspended {
		p.start()
	}
}

func (p *Proxy) describe() (State, []*os.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := State{
		Serving: p.serving, Canary: p.canary, Share: p.share,
		Accepted: p.accepted, Refused: p.refused, Rescued: p.rescued,
	}
	var files []*os.File
	for c := range p.conns {
		if c.phase == waiting && c.steered != nil {
			continue // its Dial ends with this image
		}
		copies, err := duplicateAll(c.streams())
		if errors.Is(err, net.ErrClosed) {
			continue // its client was lost, and one of its ways has not seen it yet
		}
		if err != nil {
			return State{}, files, err
		}
		cs := c.describe()
		cs.Client = len(files)
		files = append(files, copies...)
		if c.backend != nil {
			cs.Backend = cs.Client + 1
		}
		s.Conns = append(s.Conns, cs)
	}
	return s, files, nil
}

func (c *conn) streams() []stream {
	if c.backend == nil {
		return []stream{c.client}
	}
	return []stream{c.client, c.backend}
}

func (c *conn) describe() ConnState {
	s := ConnState{Up: c.up.describe(), Down: c.down.describe(), Gone: c.gone, Left: c.left, Leaps: c.leaps}
	if c.launch != nil {
		s.Launch = c.launch.n
	} else {
		s.Park = time.Until(c.until)
	}
	return s
}

func (w *way) describe() WayState {
	return WayState{Pending: w.pending, Moved: w.moved.Load(), End: int(w.end)}
}

// duplicateAll copies all of them, or none.
func duplicateAll(streams []stream) ([]*os.File, error) {
	var files []*os.File
	for _, s := range streams {
		f, err := duplicate(s)
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// duplicate leaves the status flags of the open file alone, which net.Conn.File and
// File.Fd do not.
func duplicate(s stream) (*os.File, error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	controlErr := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(controlErr, err); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "connection"), nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// Resume goes on with what Suspend has returned, in the same or another image of the
// process. The files are closed. How launches are dialled has to be said again by Add;
// which one has the traffic is known. On an error all connections are closed.
func Resume(l net.Listener, o Options, s State, files []*os.File) (*Proxy, error) {
	defer closeAll(files)
	p := build(l, o)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serving, p.canary, p.share = s.Serving, s.Canary, s.Share
	p.accepted, p.refused, p.rescued = s.Accepted, s.Refused, s.Rescued
	if s.Serving != 0 {
		p.launches[s.Serving] = &launch{n: s.Serving}
	}
	for _, cs := range s.Conns {
		c, err := p.restore(cs, files)
		if err != nil {
			for c := range p.conns {
				c.cut()
			}
			return nil, fmt.Errorf("resume proxy: %w", err)
		}
		p.conns[c] = struct{}{}
	}
	p.start()
	return p, nil
}

func (p *Proxy) restore(s ConnState, files []*os.File) (*conn, error) {
	c := &conn{p: p, gone: s.Gone, left: s.Left, leaps: s.Leaps, until: time.Now().Add(s.Park)}
	c.up.restore(s.Up)
	c.down.restore(s.Down)
	c.half = c.down.end != going
	var err error
	if c.client, err = open(files, s.Client); err != nil || s.Launch == 0 {
		return c, err
	}
	if c.backend, err = open(files, s.Backend); err != nil {
		c.client.Close()
		return nil, err
	}
	if p.launches[s.Launch] == nil {
		p.launches[s.Launch] = &launch{n: s.Launch}
	}
	c.launch, c.phase = p.launches[s.Launch], relaying
	c.launch.count++
	return c, nil
}

func (w *way) restore(s WayState) {
	w.pending, w.end = s.Pending, end(s.End)
	w.moved.Store(s.Moved)
}

func open(files []*os.File, i int) (stream, error) {
	if i < 0 || i >= len(files) {
		return nil, fmt.Errorf("open connection: there is no file %d", i)
	}
	c, err := net.FileConn(files[i])
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	s, ok := c.(stream)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("open connection: file %d is a %T", i, c)
	}
	return s, nil
}
