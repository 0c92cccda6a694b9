package bundle

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Given is what a plan gives back of the isolation that each container has. The
// zero value gives nothing.
type Given struct {
	// Capabilities, such as CAP_NET_BIND_SERVICE, in the container's user
	// namespace: over what belongs to it, and not over the host's network.
	Capabilities []string

	NewPrivileges bool     // execve(2) may give some: no no_new_privs
	Unmask        []string // some of MaskedPaths and ReadonlyPaths
}

func (g Given) check() error {
	for _, name := range g.Capabilities {
		if !strings.HasPrefix(name, "CAP_") {
			return fmt.Errorf("give capability %q: want a name such as CAP_KILL", name)
		}
	}
	for _, path := range g.Unmask {
		if !slices.Contains(maskedPaths, path) && !slices.Contains(readonlyPaths, path) {
			return fmt.Errorf("unmask %q: neither masked nor read-only", path)
		}
	}
	return nil
}

// MaskedPaths are those that no container sees the content of, unless
// Given.Unmask has them.
func MaskedPaths() []string { return slices.Clone(maskedPaths) }

// ReadonlyPaths are those that none may write, unless Given.Unmask has them.
func ReadonlyPaths() []string { return slices.Clone(readonlyPaths) }

// becomeAnother are the capabilities that a server needs to prepare its files as
// root, become its own user, and end its workers. They hold in the container's
// user namespace, so over its own ids only, and are gone once it has changed.
var becomeAnother = []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"}

// mayHave are all capabilities of the program: none but what is given, and what
// the root of a container with other users needs.
func (p Plan) mayHave(user specs.User) []string {
	names := slices.Clone(p.Given.Capabilities)
	if !p.IDs.Single() && user.UID == 0 {
		names = append(names, becomeAnother...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// capabilities are always present: left out, runtimes drop nothing at all.
func (p Plan) capabilities(user specs.User) *specs.LinuxCapabilities {
	all := p.mayHave(user)
	c := &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all}
	if user.UID != 0 {
		// execve(2) leaves nobody but root what is not ambient, and what is
		// not inheritable cannot be.
		c.Inheritable, c.Ambient = all, all
	}
	return c
}
