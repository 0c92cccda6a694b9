package journal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// ErrUnavailable says that no journald takes records at present: its socket is
// missing or refuses. A Sink tries such a record again.
var ErrUnavailable = errors.New("journald is not there")

// Sender carries one record to journald. A Sink calls it from one goroutine,
// one record at a time and always with the same context; it may block, but not
// longer than ctx lasts. An error that wraps ErrUnavailable asks for another
// try, any other means that this very record is lost.
type Sender func(ctx context.Context, r Record) error

// Journald returns the Sender to the journald of this machine.
func Journald() Sender { return Socket("/run/systemd/journal/socket") }

// Socket returns the Sender to a journald that listens on path. It connects
// with the first record, and anew after an error; the connection ends with the
// context of the call that made it.
func Socket(path string) Sender {
	return (&socket{path: path}).send
}

type socket struct {
	path   string
	conn   *net.UnixConn // nil: not connected
	buffer []byte
}

func (s *socket) send(ctx context.Context, r Record) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	s.buffer = appendRecord(s.buffer[:0], r)
	_, err := s.conn.Write(s.buffer)
	step.Done("journal-told")
	if errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS) {
		err = s.sendFile()
	}
	if cap(s.buffer) > 2*maxText {
		s.buffer = nil // a rare giant must not cost memory for ever
	}
	if err != nil {
		return s.failed(ctx, err)
	}
	return nil
}

// connect dials unless a connection is there. The socket is connected, not
// addressed by each message: only then does poll(2) tell when journald's queue
// has room (unix_dgram_poll asks the peer, and there is none otherwise).
func (s *socket) connect(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	context.AfterFunc(ctx, func() { conn.Close() }) // also ends a Write that blocks
	s.conn = conn
	return nil
}

// failed drops the connection and says what err means.
func (s *socket) failed(ctx context.Context, err error) error {
	s.conn.Close()
	s.conn = nil
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, gone := range []unix.Errno{unix.ECONNREFUSED, unix.ECONNRESET, unix.ENOTCONN, unix.EPIPE, unix.ENOENT} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return fmt.Errorf("send to journald: %w", err)
}

// sendFile passes the record as a sealed memfd: for one that is larger than a
// datagram may be.
func (s *socket) sendFile() error {
	fd, err := unix.MemfdCreate("gatewayd-journal", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "gatewayd-journal")
	defer file.Close()
	if _, err := file.Write(s.buffer); err != nil {
		return err
	}
	// journald takes exactly these four seals (systemd 252, memfd_get_sealed).
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return os.NewSyscallError("fcntl F_ADD_SEALS", err)
	}
	return s.sendRights(unix.UnixRights(fd))
}

// sendRights sends no byte, but file descriptors. net.UnixConn has a method for
// that, which refuses a connected datagram socket.
func (s *socket) sendRights(rights []byte) error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), nil, rights, nil, 0)
		return sent != unix.EAGAIN // true: done; false: again when there is room
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("sendmsg", sent)
}
