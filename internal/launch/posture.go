package launch

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

const postureBare = "bare"

// postureOf says what a launch asked for to isolate its program. What the kernel
// really gives, verified reads back.
func postureOf(spec *specs.Spec, uid int, g config.Gateway) string {
	return words(uid, spec.Process.Capabilities.Bounding, spec.Root.Readonly, g)
}

// postureBefore is the posture of a gateway before a launch of it: a package may
// ask for a read-only root on top, and for a user that needs no capabilities.
func postureBefore(g config.Gateway, uid int) string {
	if g.Isolation.Bare {
		return postureBare
	}
	return words(uid, g.Isolation.Capabilities, g.Isolation.ReadOnly, g)
}

func words(uid int, capabilities []string, readOnly bool, g config.Gateway) string {
	ids, caps, root := "", "none", "rw"
	if g.Staging.IDs == "range" {
		ids, caps = " ids=range", "?"
	}
	if len(capabilities) > 0 {
		caps = strings.ToLower(strings.ReplaceAll(strings.Join(capabilities, ","), "CAP_", ""))
	}
	if readOnly {
		root = "ro"
	}
	return fmt.Sprintf("uid=%d%s caps=%s %s seccomp=%s net=%s rootfs=%s%s", uid, ids, caps, privileges(g), g.Isolation.Seccomp, network(g), root, unmasked(g))
}

func privileges(g config.Gateway) string {
	if g.Isolation.NewPrivs {
		return "new-privs"
	}
	return "nnp"
}

func unmasked(g config.Gateway) string {
	if g.Isolation.Unmask == nil {
		return ""
	}
	return " unmasked=" + strings.Join(g.Isolation.Unmask, ",")
}

// network says, too, what a program without a network has of the host's: sockets
// to accept on, and by those more, if it may connect.
func network(g config.Gateway) string {
	inherits := slices.ContainsFunc(g.Listen, func(l config.Listen) bool { return l.Mode != proxied })
	switch {
	case g.Isolation.Network != bundle.NetworkNone || !inherits:
		return g.Isolation.Network
	case g.Isolation.AllowConnect:
		return "none(listen,connect)"
	}
	return "none(listen)"
}
