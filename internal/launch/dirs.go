package launch

import (
	"errors"
	"path/filepath"

	"github.com/gatewayd/gatewayd/internal/config"
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

// Secrets holds one directory a launch, in which its secrets are files.
func (d Dirs) Secrets() string { return filepath.Join(d.Runtime, "secrets") }

// Rootfs holds one staged tree a launch.
func (d Dirs) Rootfs() string { return filepath.Join(d.State, "rootfs") }

// Digests holds what is known of packaged trees, one file each.
func (d Dirs) Digests() string { return filepath.Join(d.State, "digests") }

// Data is the persistent directory of one gateway.
func (d Dirs) Data(gateway string) string { return filepath.Join(d.State, config.DataSource, gateway) }

// Stopped holds an empty file for each gateway that its operator stopped.
func (d Dirs) Stopped() string { return filepath.Join(d.State, "stopped") }

// Held holds a file for each gateway that waits for a change.
func (d Dirs) Held() string { return filepath.Join(d.State, "held") }

// Revisions holds the history of each gateway, one file each.
func (d Dirs) Revisions() string { return filepath.Join(d.State, "revisions") }
