package listen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// listenUnix listens on a path, with mode 0600: who else may connect is for a socket unit
// to say (SocketMode=). A socket that nobody listens on any more is removed from there,
// and nothing else.
func listenUnix(path string, backlog int) (int, error) {
	if err := clearPath(path); err != nil {
		return -1, fmt.Errorf("listen on unix:%s: %w", path, err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = unix.Fchmod(fd, 0o600); err == nil { // before bind, which takes the mode over: nobody is in between
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
		step.Done("path-bound")
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("listen on unix:%s: %w", path, err)
	}
	return fd, nil
}

// clearPath removes a socket that an earlier gatewayd left.
func clearPath(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is something that is not a socket: remove it")
	}
	switch err := tryUnix(path); {
	case errors.Is(err, unix.ECONNREFUSED):
		err = os.Remove(path)
		step.Done("path-cleared")
		return err
	case err == nil:
		return &TakenError{Address: "unix:" + path, Holders: holders(unixInodes(path, info))}
	default:
		return err
	}
}

// tryUnix finds out whether somebody listens: EAGAIN says that many wait there already.
func tryUnix(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); !errors.Is(err, unix.EAGAIN) {
		return err
	}
	return nil
}

// unixInodes are the sockets that /proc/net/unix has for a path, with the user it belongs to.
func unixInodes(path string, info fs.FileInfo) map[uint64]int {
	found := map[uint64]int{}
	table, _ := os.ReadFile("/proc/net/unix")
	for _, inode := range parseUnix(string(table), path) {
		found[inode] = int(info.Sys().(*syscall.Stat_t).Uid)
	}
	return found
}

// parseUnix finds the inodes in the lines of a path, which is all behind the seventh
// field and a space (net/unix/af_unix.c): it may hold spaces itself.
func parseUnix(table, path string) (inodes []uint64) {
	for line := range strings.Lines(table) {
		rest, ours := strings.CutSuffix(strings.TrimSuffix(line, "\n"), " "+path)
		if f := strings.Fields(rest); ours && len(f) == 7 && strings.HasSuffix(rest, f[6]) { // else the space is of another path
			inode, _ := strconv.ParseUint(f[6], 10, 64)
			inodes = append(inodes, inode)
		}
	}
	return inodes
}

// ErrRenewed: the socket was lost and there is a new one, which launches that run already
// do not have.
var ErrRenewed = errors.New("there is a new socket, which launches that run do not have")

// mendUnix listens anew where the path has been removed, or a program has shut the socket
// down, of which a unix socket does not recover.
func (p *Port) mendUnix() error {
	cause, err := p.renewUnix()
	if cause == nil || err != nil {
		return err
	}
	p.o.Log("listening anew", fmt.Errorf("%s: %w", p.at, cause))
	if err := p.o.drop(p.at.key(p.members[0].name)); err != nil {
		p.o.Log("dropping a socket", err)
	}
	p.keep()
	return fmt.Errorf("%s: %w: %w", p.at, cause, ErrRenewed)
}

func (p *Port) renewUnix() (cause, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, os.ErrClosed
	}
	m := p.members[0]
	if !filepath.IsAbs(p.at.path) { // an abstract one of systemd's: nobody can remove it
		return nil, nil
	}
	if cause = inPlace(m.fd, p.at.path); cause == nil {
		return nil, nil
	}
	if p.lent != "" {
		return cause, fmt.Errorf("%s: %w: restart the socket unit of %s", p.at, cause, p.lent)
	}
	fd, err := listenUnix(p.at.path, p.o.Backlog)
	if err != nil {
		return cause, err
	}
	m.close()
	m.fd = fd
	return cause, nil
}

// inPlace says why clients of path do not reach fd. Only where the kernel does not tell
// it connects, which whoever accepts sees.
func inPlace(fd int, path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return os.NewSyscallError("lstat", err)
	}
	number, shut, known := pathInode(fd)
	switch {
	case !known:
		return tryUnix(path)
	case number != uint32(st.Ino):
		return errors.New("another socket is in its place")
	case shut:
		return errors.New("a program has shut it down")
	}
	return nil
}

// pathInode asks the kernel for the inode of the path that fd was bound to, which no
// other path gets while fd is open, and whether it was shut down:
// <linux/unix_diag.h>, UNIX_DIAG_VFS and UNIX_DIAG_SHUTDOWN.
func pathInode(fd int) (number uint32, shut, known bool) {
	request := message(unix.NLM_F_REQUEST, 24)
	request[header] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(request[header+4:], ^uint32(0))        // all states
	binary.NativeEndian.PutUint32(request[header+8:], uint32(inode(fd))) // this socket
	binary.NativeEndian.PutUint32(request[header+12:], 2)                // UDIAG_SHOW_VFS
	binary.NativeEndian.PutUint64(request[header+16:], ^uint64(0))       // any cookie
	answers, err := askDiag(request)
	if err != nil || len(answers) == 0 || len(answers[0]) < 16 {
		return 0, false, false
	}
	vfs, down := attribute(answers[0][16:], 1), attribute(answers[0][16:], 6)
	if len(vfs) < 4 || len(down) < 1 {
		return 0, false, false
	}
	return binary.NativeEndian.Uint32(vfs), down[0] != 0, true
}

// unlink removes the path of a socket of ours.
func (p *Port) unlink() error { return unlinkOf(p.members[0].fd, p.at.path) }

func unlinkOf(fd int, path string) error {
	var st unix.Stat_t
	if path == "" || unix.Lstat(path, &st) != nil {
		return nil
	}
	if number, _, known := pathInode(fd); !known || number != uint32(st.Ino) {
		return nil
	}
	err := os.Remove(path)
	step.Done("path-removed")
	return err
}
