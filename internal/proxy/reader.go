package proxy

import (
	"errors"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// buffer is what a way has while it has bytes, and only then.
type buffer [32 << 10]byte

// reader reads from a socket into a buffer of the pool. While there is nothing to
// read, the goroutine waits in the runtime's poller and the buffer is in the pool.
// Neither ReadFrom nor WriteTo is used: splice(2), which io.Copy takes for those,
// is slower, and its pipes cost descriptors and exhaust the user's pipe budget.
type reader struct {
	raw     syscall.RawConn
	buffers *sync.Pool
	try     func(fd uintptr) bool // made once: a method value allocates
	buffer  *buffer
	n       int
	err     error
}

func newReader(s stream, buffers *sync.Pool) (*reader, error) {
	raw, err := s.SyscallConn()
	r := &reader{raw: raw, buffers: buffers}
	r.try = r.read
	return r, err
}

// wait returns the next bytes, none at the end of the stream. They are valid until release.
func (r *reader) wait() ([]byte, error) {
	if err := r.raw.Read(r.try); err != nil {
		return nil, err // a deadline, or closed; nothing was read
	}
	if r.err != nil {
		r.release()
		return nil, r.err
	}
	return r.buffer[:r.n], nil
}

// read is called when there may be something. False: wait for more.
func (r *reader) read(fd uintptr) bool {
	r.buffer = r.buffers.Get().(*buffer)
	for {
		r.n, r.err = unix.Read(int(fd), r.buffer[:])
		if !errors.Is(r.err, unix.EINTR) {
			break
		}
	}
	if errors.Is(r.err, unix.EAGAIN) {
		r.release()
		return false
	}
	return true
}

func (r *reader) release() {
	r.buffers.Put(r.buffer)
	r.buffer = nil
}
