package launch

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/internal/config"
)

const postureBare = "bare"

// posture says what a launch asked for to isolate its program. What the kernel
// really gives is not read back.
func posture(spec *specs.Spec, g config.Gateway) string {
	return words(spec.Linux.UIDMappings[0].HostID, spec.Root.Readonly, g.Isolation)
}

// postureBefore is the posture of a gateway before a launch of it: a package may
// ask for a read-only root on top.
func postureBefore(g config.Gateway, uid int) string {
	if g.Isolation.Bare {
		return postureBare
	}
	return words(uint32(uid), g.Isolation.ReadOnly, g.Isolation) //nolint:gosec // uids are not negative
}

func words(uid uint32, readOnly bool, i config.Isolation) string {
	root := "rw"
	if readOnly {
		root = "ro"
	}
	return fmt.Sprintf("uid=%d caps=none nnp seccomp=%s net=%s rootfs=%s", uid, i.Seccomp, i.Network, root)
}
