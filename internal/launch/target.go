package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewayd/gatewayd/internal/probe"
	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// What stands for a launch's own in the configuration.
const (
	placeLaunch = "{launch}"
	placePort   = "{port}"
)

// target is where a program listens behind a proxy: a port of the loopback, or
// a socket in a directory of the launch that is mounted into the container.
type target struct {
	address string // HOST:PORT; empty: a socket
	chosen  string // the port, where gatewayd has chosen it
	host    string // the directory on the host
	dir     string // the same in the container
	name    string // of the socket in it
}

// makeTarget makes what is the launch's own of a configured target.
func (la *launch) makeTarget(to string) (t target, err error) {
	if at, ok := isUnix(la.fill(to)); ok {
		t.dir, t.name = path.Dir(at), path.Base(at)
		t.host, err = la.socketDir(t.dir)
	} else {
		t.address, t.chosen, err = address(to)
	}
	if err == nil {
		la.targets = append(la.targets, t)
	}
	return t, err
}

// address is HOST:PORT with a port, and the port where it was for us to choose.
func address(to string) (at, chosen string, err error) {
	host, port, err := net.SplitHostPort(to)
	if err != nil {
		return "", "", permanent(err)
	}
	if port != "0" {
		return to, "", nil
	}
	if chosen, err = freePort(host); err != nil {
		return "", "", err
	}
	return net.JoinHostPort(host, chosen), chosen, nil
}

// freePort has the kernel choose a port. Nothing holds it until the program
// listens there, since programs differ in what they would bind beside. Who takes
// it meanwhile makes that launch fail, and the next one gets another.
func freePort(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("choose a port: %w", err)
	}
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), l.Close()
}

// socketDirMark stands between the id of a launch and the number of a directory
// that lies beside its root.
const socketDirMark = ".listen"

// socketDir makes the directory that the container sees as dir, or finds it. It is
// container root's alone: whoever may write there answers for the gateway. It lies
// beside the staged tree: what the container fills there is the same disk, and what
// it makes of it is removed in the same way.
func (la *launch) socketDir(dir string) (string, error) {
	for _, t := range la.targets {
		if t.dir == dir {
			return t.host, nil
		}
	}
	host := filepath.Join(la.host.Dirs.Rootfs(), la.id+socketDirMark+strconv.Itoa(len(la.targets)))
	if err := os.Mkdir(host, 0o700); err != nil {
		return "", fmt.Errorf("create directory for a socket: %w", err)
	}
	step.Done("socket-dir-made")
	uid, gid := la.host.ids()
	if err := os.Lchown(host, uid, gid); err != nil {
		return "", fmt.Errorf("create directory for a socket: %w", errors.Join(err, os.Remove(host)))
	}
	return host, nil
}

// removeSockets removes the directories of the sockets.
func (la *launch) removeSockets(ctx context.Context) error {
	var errs []error
	for _, m := range la.socketMounts() {
		errs = append(errs, bundle.Remove(ctx, la.host.Dirs.Rootfs(), filepath.Base(m.Source), bundle.RemoveOptions{IDs: la.ids, Helper: Helper}))
	}
	return errors.Join(errs...)
}

// dial connects to the program. The container owns the directory: what is there
// is opened beneath it by the kernel, so that a symbolic link to a socket of the
// host ends in it, and what is connected to is what was opened.
func (t target) dial(ctx context.Context) (net.Conn, error) {
	if t.address != "" {
		return new(net.Dialer).DialContext(ctx, "tcp", t.address)
	}
	socket, err := probe.OpenBeneath(t.host, t.name)
	if err != nil {
		return nil, fmt.Errorf("connect to unix:%s: %w", path.Join(t.dir, t.name), err)
	}
	defer func() { _ = socket.Close() }()
	// By way of /proc the path is short, too, whatever ours is: sun_path has 108 bytes.
	return new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d", socket.Fd()))
}

// socketMounts are the directories of the sockets that gatewayd connects to.
func (la *launch) socketMounts() []bundle.Mount {
	var mounts []bundle.Mount
	for _, t := range la.targets {
		m := bundle.Mount{Source: t.host, Target: t.dir}
		if t.host != "" && !slices.Contains(mounts, m) {
			mounts = append(mounts, m)
		}
	}
	return mounts
}

// port is the one that gatewayd has chosen for the program; empty: none.
func (la *launch) port() string {
	for _, t := range la.targets {
		if t.chosen != "" {
			return t.chosen
		}
	}
	return ""
}

// command has the launch's own in it, where the program is behind a proxy.
// Elsewhere ${port} is the shell's.
func (la *launch) command() []string {
	if len(la.targets) == 0 {
		return la.gateway.Command
	}
	command := slices.Clone(la.gateway.Command)
	for i := range command {
		command[i] = la.fill(command[i])
	}
	return command
}

// fill puts what is the launch's own into a text of the configuration.
func (la *launch) fill(text string) string {
	text = strings.ReplaceAll(text, placeLaunch, strconv.Itoa(la.n))
	if port := la.port(); port != "" {
		text = strings.ReplaceAll(text, placePort, port)
	}
	return text
}
