package probe

import (
	"fmt"
	"net"
	"os"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// NotifyState is what another image of this process needs of a Notify, besides
// its socket.
type NotifyState struct {
	Ready  bool   `json:"ready"`
	Status string `json:"status,omitempty"`
}

// State is how it is now, with the socket, which stays the Notify's.
func (n *Notify) State() (NotifyState, *net.UnixConn) {
	s := NotifyState{Status: n.Status()}
	select {
	case <-n.ready:
		s.Ready = true
	default:
	}
	return s, n.conn
}

// ResumeNotify goes on with the socket at path, whose file it closes.
func ResumeNotify(path string, secrets *redact.Set, s NotifyState, socket *os.File) (*Notify, error) {
	defer socket.Close()
	c, err := net.FilePacketConn(socket)
	if err != nil {
		return nil, fmt.Errorf("listen for notifications: %w", err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("listen for notifications: a %T was handed over", c)
	}
	n := &Notify{path: path, secrets: secrets, conn: conn, ready: make(chan struct{}), done: make(chan struct{})}
	n.take(message{ready: s.Ready, hasStatus: s.Status != "", status: s.Status})
	go n.run()
	return n, nil
}
