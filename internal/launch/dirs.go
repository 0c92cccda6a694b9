package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// Dirs are the directories of a running gatewayd. Everything in Runtime ends
// with the machine's power (it is meant to be a tmpfs: secrets touch no disk);
// State outlives it.
type Dirs struct {
	Runtime string // $XDG_RUNTIME_DIR/gatewayd; as root /run/gatewayd
	State   string // $XDG_STATE_HOME/gatewayd; as root /var/lib/gatewayd
}

// Directories chooses the directories for a user, by the environment getenv.
// name is "gatewayd", or what a gatewayd of another kind is called.
//
// systemd's $STATE_DIRECTORY is not used: in a user unit of systemd 252 it lies
// below ~/.config, where later versions do not look.
func Directories(name string, uid int, getenv func(string) string) (Dirs, error) {
	if uid == 0 {
		return Dirs{Runtime: filepath.Join("/run", name), State: filepath.Join("/var/lib", name)}, nil
	}
	runtimeDir := getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(runtimeDir) {
		return Dirs{}, errors.New("find runtime directory: XDG_RUNTIME_DIR is not set; log in through systemd-logind, or run gatewayd as a user unit")
	}
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return Dirs{}, errors.New("find state directory: neither XDG_STATE_HOME nor HOME is set")
		}
		state = filepath.Join(home, ".local", "state")
	}
	return Dirs{Runtime: filepath.Join(runtimeDir, name), State: filepath.Join(state, name)}, nil
}

// Lock is the file whose flock says who owns the directories.
func (d Dirs) Lock() string { return filepath.Join(d.Runtime, "lock") }

// ControlSocket is where a running gatewayd answers.
func (d Dirs) ControlSocket() string { return filepath.Join(d.Runtime, "control.sock") }

// Launches holds one directory a launch.
func (d Dirs) Launches() string { return filepath.Join(d.Runtime, "launches") }

// RuntimeRoot is the runtime's own state directory, its --root.
func (d Dirs) RuntimeRoot() string { return filepath.Join(d.Runtime, "runtime") }

// Rootfs holds one staged tree a launch.
func (d Dirs) Rootfs() string { return filepath.Join(d.State, "rootfs") }

// Data is the persistent directory of one gateway.
func (d Dirs) Data(gateway string) string { return filepath.Join(d.State, "data", gateway) }

// Stopped holds an empty file for each gateway that its operator stopped.
func (d Dirs) Stopped() string { return filepath.Join(d.State, "stopped") }

// Create makes the directories. As root those on the way to what the container
// reaches are searchable (0711), since container root is another user there;
// the rest is 0700. Modes are set also on directories that exist, so that
// neither a umask nor an earlier mistake leaves one open.
func (d Dirs) Create(root bool) error {
	passage := os.FileMode(0o700)
	if root {
		passage = 0o711
	}
	dirs := []struct {
		path string
		mode os.FileMode
	}{
		{d.Runtime, passage},
		{d.Launches(), passage},
		{d.RuntimeRoot(), passage},
		{d.State, passage},
		{d.Rootfs(), passage},
		{filepath.Join(d.State, "data"), passage},
		{d.Stopped(), 0o700},
	}
	for _, dir := range dirs {
		if err := createDir(dir.path, dir.mode); err != nil {
			return err
		}
	}
	return nil
}

func createDir(path string, mode os.FileMode) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("create directory %s: a %s is in its place", path, info.Mode().Type())
	}
	if owner := ownerOf(info); owner != os.Geteuid() {
		return fmt.Errorf("use directory %s: it belongs to uid %d, not to uid %d that runs gatewayd", path, owner, os.Geteuid())
	}
	return os.Chmod(path, mode)
}

// Remove takes away both directories with all that is in them, persistent data
// too: for a gatewayd that was temporary. The caller still holds the lock.
func (d Dirs) Remove(ctx context.Context) error {
	return errors.Join(
		bundle.Remove(ctx, filepath.Dir(d.State), filepath.Base(d.State)),
		bundle.Remove(ctx, filepath.Dir(d.Runtime), filepath.Base(d.Runtime)),
	)
}
