package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// readSize is what is read from a stream at once, in bytes.
const readSize = 4 << 10

// Output carries what one launch writes to its stdout and stderr.
type Output struct {
	stdout, stderr *pump
	ctx            context.Context // the writer's
	cancel         context.CancelFunc
	turn           chan struct{} // held by Close, and from Suspend to Continue
	closing        sync.Once
	err            error // of Close
}

func newOutput() *Output {
	o := &Output{turn: make(chan struct{}, 1)}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

// OpenOutput makes a pipe for stdout and one for stderr, and starts a pump for
// each that hands its lines to write, without the values of secrets. The caller
// owes a Close.
func OpenOutput(l Launch, write Writer, secrets *redact.Set) (*Output, error) {
	o := newOutput()
	var err error
	if o.stdout, err = openPump(o.ctx, l, "stdout", write, secrets); err != nil {
		o.cancel()
		return nil, fmt.Errorf("open stdout: %w", err)
	}
	if o.stderr, err = openPump(o.ctx, l, "stderr", write, secrets); err != nil {
		o.stdout.close(o.ctx, o.cancel)
		o.cancel()
		return nil, fmt.Errorf("open stderr: %w", err)
	}
	return o, nil
}

// Stdout is the end to write to, in blocking mode as programs expect it. It is
// closed by Release.
func (o *Output) Stdout() *os.File { return o.stdout.write }

// Stderr is as Stdout.
func (o *Output) Stderr() *os.File { return o.stderr.write }

// Release closes our copies of the ends to write to. Call it when the
// container was created, or could not be: until then no end of file is seen. A
// further call does nothing.
func (o *Output) Release() { o.stdout.write.Close(); o.stderr.write.Close() }

// Close waits until all that was written has been handed to the writer: to the
// end of file, which comes with the death of the container's last process, but
// not longer than ctx lasts. What lies in a pipe then is taken too, without
// waiting. The error names the streams that somebody still holds open; all is
// closed nevertheless. A further call returns the same.
func (o *Output) Close(ctx context.Context) error {
	o.closing.Do(func() {
		o.turn <- struct{}{} // it waits out a Suspend
		defer func() { <-o.turn }()
		defer o.cancel()
		o.Release()
		o.err = errors.Join(o.stdout.close(ctx, o.cancel), o.stderr.close(ctx, o.cancel))
	})
	return o.err
}

// pump carries one stream.
type pump struct {
	stream      string
	read, write *os.File
	shown       *redact.Stream // before the lines, which a value may go beyond
	held        []byte         // by the one of an earlier image
	lines       splitter
	done        chan struct{}
	err         error // of the last read; valid after done
	suspended   bool  // it goes on when it is asked to
}

func openPump(ctx context.Context, l Launch, stream string, write Writer, secrets *redact.Set) (*pump, error) {
	p := newPump(ctx, l, stream, write, secrets)
	if err := p.pipe(); err != nil {
		return nil, err
	}
	go p.run()
	return p, nil
}

func newPump(ctx context.Context, l Launch, stream string, write Writer, secrets *redact.Set) *pump {
	p := &pump{stream: stream, done: make(chan struct{})}
	p.lines.fallback = journal.PriInfo
	p.lines.emit = func(text []byte, priority journal.Priority, partial bool) {
		write(ctx, Line{Launch: l, Stream: stream, Priority: priority, Text: text, Partial: partial})
	}
	p.shown = secrets.Stream(p.lines.write)
	return p
}

// pipe makes only the end to read from non-blocking (it is watched by Go's
// poller). The mode belongs to the open file, which the gateway shares: a
// non-blocking stdout loses what it prints while the pipe is full.
func (p *pump) pipe() error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	err := unix.SetNonblock(fds[0], true)
	p.read = os.NewFile(uintptr(fds[0]), p.stream)
	p.write = os.NewFile(uintptr(fds[1]), p.stream)
	if err != nil {
		p.read.Close()
		p.write.Close()
	}
	return os.NewSyscallError("fcntl O_NONBLOCK", err)
}

func (p *pump) run() {
	defer close(p.done)
	p.shown.Write(p.held)
	p.held = nil
	text := make([]byte, readSize)
	for p.err == nil {
		var n int
		n, p.err = p.read.Read(text)
		p.shown.Write(text[:n])
	}
	if !errors.Is(p.err, os.ErrDeadlineExceeded) { // else the line may go on: see drain
		p.finish()
	}
}

// finish hands on the last words.
func (p *pump) finish() {
	p.shown.Flush()
	p.lines.finish()
}

// close ends the pump: at the end of file, or when ctx ends. cancel makes the
// writer wait no longer.
func (p *pump) close(ctx context.Context, cancel func()) error {
	defer p.read.Close()
	p.write.Close()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	cancel()
	if err := p.read.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return fmt.Errorf("close %s: %w", p.stream, err)
	}
	<-p.done
	if errors.Is(p.err, os.ErrDeadlineExceeded) {
		return p.drain()
	}
	return nil
}

// drain takes what lies in the pipe, at most what a pipe of the greatest usual
// size holds: whoever still writes could feed us for ever.
func (p *pump) drain() error {
	if err := p.read.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	raw, err := p.read.SyscallConn()
	if err != nil {
		return err
	}
	defer p.finish()
	text := make([]byte, readSize)
	for taken := 0; taken < 1<<20; {
		n, err := readNow(raw, text)
		if err != nil {
			break
		}
		if n == 0 {
			return nil // the last writer has gone meanwhile
		}
		p.shown.Write(text[:n])
		taken += n
	}
	return fmt.Errorf("close %s: another process still holds it open", p.stream)
}

// readNow takes what is there and never waits.
func readNow(raw syscall.RawConn, b []byte) (n int, err error) {
	failed := raw.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), b)
		return true // whatever came
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}
