package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// maxPath is what fits into sun_path with its final NUL (unix(7)). A longer path
// fails with a bare "invalid argument", which helps nobody.
const maxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// Listen makes the control socket at path with mode 0600. A socket that is
// there already is taken for that of a dead daemon and replaced, so the caller
// holds the lock of the directory; anything else there is an error that
// matches fs.ErrExist. Closing the listener removes the socket.
func Listen(path string) (*net.UnixListener, error) {
	if err := checkPath(path); err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	l, err := (&net.ListenConfig{Control: private}).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	step.Done("control-made")
	return l.(*net.UnixListener), nil
}

// private sets the mode before bind: the socket's file inherits it from the
// descriptor, less the umask. A chmod afterwards would leave a moment in which
// others could connect, and umask(2) belongs to all threads.
func private(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); e != nil {
		return e
	}
	return os.NewSyscallError("fchmod", err)
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return &fs.PathError{Op: "replace", Path: path, Err: fs.ErrExist}
	}
	err = os.Remove(path)
	step.Done("stale-control-removed")
	return err
}

func checkPath(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("path %s has %d bytes: a unix socket takes at most %d", path, len(path), maxPath)
	}
	return nil
}

// Regain goes on with the listener of another image of this process, whose file
// it closes. Closing it removes the socket, as with Listen.
func Regain(file *os.File) (*net.UnixListener, error) {
	if file == nil {
		return nil, errors.New("listen on control socket: it was not handed over")
	}
	l, err := net.FileListener(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("listen on control socket: a %T was handed over", l), l.Close())
	}
	u.SetUnlinkOnClose(true)
	return u, nil
}
