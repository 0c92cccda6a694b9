package proxy

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// unavailable has no body, so that it answers HEAD as well. Who comes again after a
// second is parked again: there is no reason to keep it away for longer.
const unavailable = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// What a refused client may still send, and for how long, before it is closed: a close
// with unread bytes is a reset, which can destroy the answer on its way.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// methods of HTTP/1 requests.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}

// refuse answers a client that nobody serves.
func (c *conn) refuse() {
	c.p.mu.Lock()
	if c.p.life != live {
		c.p.mu.Unlock()
		return
	}
	c.phase, c.again = refusing, time.Now().Add(lingerTime)
	c.p.refused++
	c.p.relieve(c)
	c.arm()
	c.p.mu.Unlock()
	if speaksHTTP(c.head()) {
		c.answer()
	}
	c.drop(nil)
}

func (c *conn) answer() {
	if _, err := io.WriteString(c.client, unavailable); err != nil {
		return
	}
	endStream(c.client)
	b := c.p.buffers.Get().(*buffer)
	defer c.p.buffers.Put(b)
	for n := 0; n < lingerBytes; {
		k, err := c.client.Read(b[:])
		if err != nil {
			return
		}
		n += k
	}
}

// head returns the first bytes that the client has sent, and leaves them there.
func (c *conn) head() []byte {
	if len(c.up.pending) > 0 {
		return c.up.pending
	}
	head := make([]byte, 16)
	raw, err := c.client.SyscallConn()
	if err != nil {
		return nil
	}
	n := 0
	err = errors.Join(raw.Control(func(fd uintptr) {
		n, _, err = unix.Recvfrom(int(fd), head, unix.MSG_PEEK|unix.MSG_DONTWAIT)
	}), err)
	if err != nil {
		return nil
	}
	return head[:n]
}

// speaksHTTP says whether a request of HTTP/1 begins with head. The preface of HTTP/2 does not.
func speaksHTTP(head []byte) bool {
	method, _, found := bytes.Cut(head, []byte(" "))
	return found && slices.Contains(methods, string(method))
}
