package bundle

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// InitTarget is where Plan.Init is found in a container: in /dev, which is a
// fresh tmpfs in each, so that no tree needs a place for it.
const InitTarget = "/dev/gatewayd-init"

// Networks of a Plan.
const (
	NetworkHost = "host" // the host's network namespace
	NetworkNone = "none" // a network namespace of its own, and nothing in it
)

// A Plan is what gatewayd decides about one launch; Spec makes a runtime spec
// of it. What a field leaves empty comes from the package, where the package
// has a say at all.
type Plan struct {
	ID     string // of the launch; the host name, unless there is another
	Rootfs string // absolute path of the staged tree; not used with an Overlay

	Overlay *Overlay // the root file system instead of a staged tree, by MakeOverlay; crun has none

	Args []string // the program and its arguments; empty: the packaged ones
	Cwd  string   // absolute; empty: the packaged one, or "/"
	Env  []string // NAME=value, laid over the packaged environment and a default PATH

	Mounts []Mount // laid over the packaged ones
	Bundle string  // directory below which packaged bind mounts may have their source; empty: nowhere

	// IDs of the container. With several the package's user is kept, and
	// root may become another user (see Spec). None is the host's 0.
	IDs IDMap

	// InNamespace says that the runtime runs as 0:0 of a user namespace with
	// these IDs: the spec makes no other. It is the caller's to make sure of,
	// and how a user's container gets to setgroups(2), which youki denies it
	// in the namespaces that it makes itself.
	InNamespace bool

	// Given is what of the isolation is given back. Override has the plan's in
	// the place of what a package says and is weaker: else that is refused.
	Given    Given
	Override bool

	CgroupsPath string              // of the launch's leaf, absolute as below /sys/fs/cgroup; empty: the runtime's choice
	Network     string              // NetworkHost or NetworkNone
	ReadOnly    bool                // the root file system; true also if the package says so
	Tmp         int64               // bytes of a tmpfs at /tmp, unless something is mounted there; 0: the root's own /tmp
	Limits      []specs.POSIXRlimit // in the place of the package's; not above our own hard limits
	Seccomp     *specs.LinuxSeccomp // nil: unconfined
	Hooks       []specs.Hook        // createContainer hooks of gatewayd's own
	Init        string              // host path of a static binary to be PID 1 as "init -- args…"; empty: the program is PID 1
	Hostname    string              // empty: the packaged one, or ID

	// SeccompChosen says that somebody has decided on Seccomp, knowing that the
	// package may have a profile.
	SeccompChosen bool
}

// A Mount is a directory or file of the host, bound into the container.
type Mount struct {
	Source   string // absolute path on the host
	Target   string // absolute path in the container, not in /dev, /proc or /sys
	ReadOnly bool   // with all mounts below it
	File     bool   // a single file, which need not be there yet; it is no program
}

// check finds what the caller got wrong. Those errors are not ErrRefused.
func (p Plan) check() error {
	switch {
	case p.Overlay == nil && !isCleanAbs(p.Rootfs):
		return fmt.Errorf("rootfs %q: not a clean absolute path", p.Rootfs)
	case p.Network != NetworkHost && p.Network != NetworkNone:
		return fmt.Errorf("network %q: not %q or %q", p.Network, NetworkHost, NetworkNone)
	case p.CgroupsPath != "" && !isCleanAbs(p.CgroupsPath):
		return fmt.Errorf("cgroups path %q: not a clean absolute path", p.CgroupsPath)
	case p.Init != "" && !isCleanAbs(p.Init):
		return fmt.Errorf("init %q: not a clean absolute path", p.Init)
	case p.Bundle != "" && !isCleanAbs(p.Bundle):
		return fmt.Errorf("bundle %q: not a clean absolute path", p.Bundle)
	}
	if err := errors.Join(checkIDs(p.IDs), p.Given.check(), checkLimits(p.Limits)); err != nil {
		return err
	}
	if p.Overlay != nil {
		if err := p.Overlay.check(); err != nil {
			return fmt.Errorf("overlay: %w", err)
		}
	}
	for _, m := range p.Mounts {
		if !isCleanAbs(withoutSlash(m.Source)) {
			return fmt.Errorf("mount source %q: not a clean absolute path", m.Source)
		}
		if err := checkTarget(withoutSlash(m.Target)); err != nil {
			return fmt.Errorf("mount target %q: %w", m.Target, err)
		}
	}
	return nil
}

func checkLimits(limits []specs.POSIXRlimit) error {
	for _, r := range limits {
		if _, ok := resources[r.Type]; !ok || r.Soft > r.Hard {
			return fmt.Errorf("limit %q: no such limit, or soft %d above hard %d", r.Type, r.Soft, r.Hard)
		}
	}
	return nil
}

// rootPath is the directory that the runtime makes the container's "/".
func (p Plan) rootPath() string {
	if p.Overlay != nil {
		return p.Overlay.Root
	}
	return p.Rootfs
}

// tree is what will be seen there before the program has written anything.
func (p Plan) tree() string {
	if p.Overlay != nil {
		return p.Overlay.Lower
	}
	return p.Rootfs
}

// isCleanAbs: without "..", so that the path means the same to everybody who
// looks at it, without NUL, which would end it for the kernel, and of UTF-8,
// which is all that JSON can say: encoding/json would write another path.
func isCleanAbs(path string) bool {
	return filepath.IsAbs(path) && filepath.Clean(path) == path && !strings.Contains(path, "\x00") && utf8.ValidString(path)
}

// withoutSlash is path as people write it, but for a slash at the end.
func withoutSlash(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}
