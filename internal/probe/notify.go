package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatewayd/gatewayd/internal/redact"
	"github.com/gatewayd/gatewayd/internal/step"
)

const (
	// maxDatagram is what systemd itself takes (NOTIFY_BUFFER_MAX).
	maxDatagram = 4096
	// maxSocketPath is the room in sockaddr_un, less the final NUL.
	maxSocketPath = 107
)

// Notify is the notification socket of one launch: the gateway says READY=1
// there, as sd_notify(3) does. Everything in a datagram but READY=1 and STATUS=
// is dropped: the gateway must not speak to systemd in gatewayd's name.
type Notify struct {
	path    string
	secrets *redact.Set
	conn    *net.UnixConn
	ready   chan struct{}
	once    sync.Once // closes ready
	status  atomic.Pointer[string]
	done    chan struct{}
}

// ListenNotify makes the socket at path, writable for everybody: the gateway
// may run under another id. The directory must keep strangers out. The caller
// owes a Close. What is told of the gateway's status has no secrets.
func ListenNotify(path string, secrets *redact.Set) (*Notify, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listen on %s: path of a socket may have %d bytes, this has %d", path, maxSocketPath, len(path))
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for notifications: %w", err)
	}
	step.Done("notify-made")
	if err := os.Chmod(path, 0o666); err != nil {
		conn.Close()
		os.Remove(path)
		return nil, fmt.Errorf("listen for notifications: %w", err)
	}
	n := &Notify{path: path, secrets: secrets, conn: conn, ready: make(chan struct{}), done: make(chan struct{})}
	go n.run()
	return n, nil
}

// Ready is closed once the gateway has said READY=1.
func (n *Notify) Ready() <-chan struct{} { return n.ready }

// Status is what the gateway last said by STATUS=, in one line.
func (n *Notify) Status() string {
	if s := n.status.Load(); s != nil {
		return *s
	}
	return ""
}

// Close ends the listening and removes the socket. A further call does nothing.
func (n *Notify) Close() error {
	err := n.conn.Close()
	<-n.done
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	err = errors.Join(err, os.Remove(n.path))
	step.Done("notify-removed")
	return err
}

// Probe waits for READY=1. It is a Probe.
func (n *Notify) Probe(ctx context.Context) error {
	began := time.Now()
	select {
	case <-n.ready:
		return nil
	default:
	}
	select {
	case <-n.ready:
		return nil
	case <-n.done:
		return errors.New("notify: the socket is closed")
	case <-ctx.Done():
	}
	err := fmt.Errorf("notify: no READY=1: %w", ended(ctx, began))
	if s := n.Status(); s != "" {
		return fmt.Errorf("%w; its status: %s", err, s)
	}
	return err
}

// run reads until the socket is closed. File descriptors that come along are
// closed by the kernel, as no room is offered for them; sd_notify_barrier(3)
// takes that for its answer, as it should.
func (n *Notify) run() {
	defer close(n.done)
	buffer := make([]byte, maxDatagram+1)
	for {
		size, err := n.conn.Read(buffer)
		if err != nil {
			return
		}
		if size <= maxDatagram {
			n.take(parse(buffer[:size], n.secrets))
		}
	}
}

func (n *Notify) take(m message) {
	if m.hasStatus {
		n.status.Store(&m.status)
	}
	if m.ready {
		n.once.Do(func() { close(n.ready) })
	}
}

// message is what counts of a datagram.
type message struct {
	ready, hasStatus bool
	status           string
}

func parse(datagram []byte, secrets *redact.Set) (m message) {
	for line := range strings.SplitSeq(string(datagram), "\n") {
		if line == "READY=1" {
			m.ready = true
		}
		if status, ok := strings.CutPrefix(line, "STATUS="); ok {
			m.status, m.hasStatus = oneLine(secrets.String(status)), true
		}
	}
	return m
}
