package launch

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// notifyDir is where a gateway that reports its own readiness finds the socket
// for it: a directory, since a socket that is bind-mounted alone is refused by
// some runtimes.
const notifyDir = "/run/gatewayd"

// environment is what the program gets on top of the packaged environment: an
// allowlist. Blank variables are as good as unset ones.
func (la *launch) environment() []string {
	g := la.gateway
	env := make([]string, 0, len(g.Env.Static)+len(g.Env.Pass)+len(g.Env.Required)+1)
	for _, name := range slices.Sorted(maps.Keys(g.Env.Static)) {
		env = append(env, name+"="+g.Env.Static[name])
	}
	for _, name := range slices.Concat(g.Env.Pass, g.Env.Required) {
		if value, ok := la.host.Env(name); ok && strings.TrimSpace(value) != "" {
			env = append(env, name+"="+value)
		}
	}
	if la.notify != nil {
		dir := notifyDir
		if g.Isolation.Bare {
			dir = la.notifyHostDir()
		}
		env = append(env, "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	}
	return slices.Concat(env, la.secretEnvironment(), la.listenEnvironment())
}

// listenEnvironment tells the program which launch it is, and where it is to
// accept connections. LISTEN_PID is that of PID 1 of a container, or ours for a
// bare program: who starts the program for us puts its own in the place (see
// package inside).
func (la *launch) listenEnvironment() []string {
	env := []string{"GATEWAYD_LAUNCH=" + strconv.Itoa(la.n)}
	if port := la.port(); port != "" {
		env = append(env, "PORT="+port)
	}
	slots := la.inherited()
	if len(slots) == 0 {
		return env
	}
	names := make([]string, len(slots))
	for i, h := range slots {
		names[i] = h.listen.Name
	}
	pid := 1
	if la.gateway.Isolation.Bare {
		pid = os.Getpid()
	}
	return append(env, "LISTEN_FDS="+strconv.Itoa(len(slots)), "LISTEN_FDNAMES="+strings.Join(names, ":"), "LISTEN_PID="+strconv.Itoa(pid))
}

func (la *launch) notifyHostDir() string { return filepath.Join(la.dir, "notify") }

// mounts are those of the configuration, with "data" made a directory that
// persists and belongs to container root.
func (la *launch) mounts() ([]bundle.Mount, error) {
	mounts := make([]bundle.Mount, 0, len(la.gateway.Mounts)+1)
	for _, m := range la.gateway.Mounts {
		source, err := la.mountSource(m)
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, bundle.Mount{Source: source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	mounts = slices.Concat(mounts, la.socketMounts(), la.secretMounts())
	if la.notify != nil {
		mounts = append(mounts, bundle.Mount{Source: la.notifyHostDir(), Target: notifyDir, ReadOnly: true})
	}
	return mounts, nil
}

func (la *launch) mountSource(m config.Mount) (string, error) {
	if m.Source != config.DataSource {
		return m.Source, nil
	}
	path := la.host.Dirs.Data(la.gateway.Name)
	uid, gid := la.host.ids()
	var others []bundle.IDRange
	if !la.ids.Single() {
		others = la.ids.UIDs
	}
	return path, createDirOf(path, uid, gid, others)
}

// createDirOf makes a directory that belongs to container root, or takes one
// that does already, or that container root has given to one of its own ids:
// servers that become another user do that to what they keep. One of our own is
// given away: root was killed before it could, or has put one there that was
// saved. What anybody else put in its place is refused.
func createDirOf(path string, uid, gid int, others []bundle.IDRange) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("create data directory: %w", err)
	}
	step.Done("data-dir-made")
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("use data directory: %w", err)
	}
	owner := ownerOf(info)
	if info.IsDir() && within(others, owner) {
		return nil
	}
	if !info.IsDir() || owner != uid && owner != os.Geteuid() {
		return fmt.Errorf("use data directory %s: it is a %s of uid %d, not a directory of uid %d", path, info.Mode().Type(), owner, uid)
	}
	if owner == uid {
		return nil
	}
	return os.Lchown(path, uid, gid)
}

func ownerOf(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// within reports whether the host's uid is in one of the ranges.
func within(ranges []bundle.IDRange, uid int) bool {
	return slices.ContainsFunc(ranges, func(r bundle.IDRange) bool {
		return int64(uid) >= int64(r.Host) && int64(uid) < int64(r.Host)+int64(r.Size)
	})
}
