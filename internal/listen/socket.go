package listen

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// member is one socket of a port. It is known by its number: an os.File would be watched
// by Go's poller and wake gatewayd for each connection that a launch accepts.
type member struct {
	fd     int
	name   string  // in the fd store, behind the address
	mark   mark    // what its connections inherit
	place  int     // its index in the group
	held   bool    // a launch has it
	rescue *rescue // gatewayd accepts from it; nil: it does not
}

func (m *member) close() { unix.Close(m.fd) }

// newSocket makes a socket that is bound and does not listen yet.
func newSocket(at address, group bool) (int, error) {
	fd, err := unix.Socket(at.family(), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0) // protocol 0: never MPTCP
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := bind(fd, at, group); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func bind(fd int, at address, group bool) error {
	if err := bindOptions(fd, at, group); err != nil {
		return err
	}
	sa, err := sockaddr(at.on)
	if err != nil {
		return err
	}
	err = unix.Bind(fd, sa)
	step.Done("address-bound")
	return os.NewSyscallError("bind", err)
}

func bindOptions(fd int, at address, group bool) error {
	options := []option{{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}} // as Go does: connections of an earlier one may linger
	if group {
		options = append(options, option{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1})
	}
	if at.family() == unix.AF_INET6 {
		options = append(options, option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, toInt(!at.both)})
	}
	return setAll(fd, options)
}

type option struct{ level, name, value int }

func setAll(fd int, options []option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fmt.Errorf("setsockopt %d %d: %w", o.level, o.name, err)
		}
	}
	return nil
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// duplicate returns another descriptor of the same open file, whose flags it leaves alone.
func duplicate(fd int, name string) (*os.File, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(n), name), nil
}

// adopt takes the socket of f over and closes f.
func adopt(f *os.File) (fd int, err error) {
	defer f.Close()
	return again(f)
}

// again returns another descriptor of f's open file.
func again(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	var errno error
	err = raw.Control(func(from uintptr) { fd, errno = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) })
	if err == nil {
		err = os.NewSyscallError("fcntl", errno)
	}
	return fd, err
}

func copyOf(f *os.File) (*os.File, error) {
	fd, err := again(f)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// listening says whether fd listens. A program that has a copy may have shut it down.
func listening(fd int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && on == 1
}

// queued is how many connections wait to be accepted.
func queued(fd int) int {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.State != stateListen {
		return 0
	}
	return int(info.Unacked)
}

// inode is the number by which sock_diag and /proc know the socket.
func inode(fd int) uint64 {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Ino
}
