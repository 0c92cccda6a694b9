package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/journal"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// OutputState is what another image of this process needs to go on with an
// Output, besides its files.
type OutputState struct {
	Stdout StreamState `json:"stdout"`
	Stderr StreamState `json:"stderr"`
}

// StreamState is one stream between two reads.
type StreamState struct {
	Ended    bool             `json:"ended,omitempty"` // there is nothing more to read, and no file
	Held     []byte           `json:"held,omitempty"`  // what may be the beginning of a secret
	Begun    []byte           `json:"begun,omitempty"` // of a line whose end is still to come
	Partial  bool             `json:"partial,omitempty"`
	Priority journal.Priority `json:"priority,omitempty"`
}

// Suspend stops reading. What is written from then on waits in the pipes, for
// Continue or for another image. The files are those to read from, nil where a
// stream has ended; they stay the Output's. A Close that is under way is waited
// for; ErrSuspended, or ctx's error: it goes on as before.
func (o *Output) Suspend(ctx context.Context) (s OutputState, stdout, stderr *os.File, err error) {
	select {
	case o.turn <- struct{}{}:
	case <-ctx.Done():
		return s, nil, nil, fmt.Errorf("suspend output: %w", ctx.Err())
	}
	s.Stdout, stdout = o.stdout.suspend()
	s.Stderr, stderr = o.stderr.suspend()
	return s, stdout, stderr, nil
}

// Continue ends a Suspend that has succeeded.
func (o *Output) Continue() {
	o.stdout.resume()
	o.stderr.resume()
	<-o.turn
}

// ResumeOutput goes on with what Suspend has found in another image of this
// process. The files are the Output's from then on. The caller owes a Close.
func ResumeOutput(l Launch, write Writer, secrets *redact.Set, s OutputState, stdout, stderr *os.File) *Output {
	o := newOutput()
	o.stdout = newPump(o.ctx, l, "stdout", write, secrets)
	o.stdout.restore(s.Stdout, stdout)
	o.stderr = newPump(o.ctx, l, "stderr", write, secrets)
	o.stderr.restore(s.Stderr, stderr)
	return o
}

// suspend ends the goroutine of the pump, and nothing else. One that was closed
// has ended, whatever was left in the pipe.
func (p *pump) suspend() (StreamState, *os.File) {
	open := p.read.SetReadDeadline(time.Unix(1, 0)) == nil
	<-p.done
	p.suspended = open && errors.Is(p.err, os.ErrDeadlineExceeded)
	if !p.suspended {
		return StreamState{Ended: true}, nil
	}
	return StreamState{Held: p.shown.Held(), Begun: p.lines.buffer, Partial: p.lines.partial, Priority: p.lines.priority}, p.read
}

func (p *pump) resume() {
	if !p.suspended {
		return
	}
	p.suspended, p.done = false, make(chan struct{})
	p.err = p.read.SetReadDeadline(time.Time{})
	go p.run()
}

// restore begins where suspend ended. The end to write to is long closed.
func (p *pump) restore(s StreamState, read *os.File) {
	if s.Ended || read == nil {
		close(p.done)
		return
	}
	p.read, p.held = read, s.Held
	p.err = read.SetReadDeadline(time.Time{}) // suspend has set one, should the file be the same
	p.lines.buffer = s.Begun[:min(len(s.Begun), maxText)]
	p.lines.partial, p.lines.priority = s.Partial, s.Priority
	go p.run()
}
