package launch

import (
	"errors"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/seccomp"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// openFilter makes, once for a launch, the filter of its exec probes from the
// profile in the container's spec. nil is unconfined: an empty filter, since the
// probes insist on one.
func (la *launch) openFilter(profile *specs.LinuxSeccomp) error {
	if la.gateway.Ready.Probe.Kind != config.ProbeExec {
		return nil
	}
	filter, err := seccomp.Compile(profile)
	if err != nil {
		return fmt.Errorf("%w: exec probe: %w", supervisor.ErrPermanent, err)
	}
	la.filter, err = filter.File()
	return err
}

// seccomp is the profile of the container: the configured one, less what a
// listener that the program inherits could be abused for.
func (la *launch) seccomp() (*specs.LinuxSeccomp, error) {
	profile, err := la.seccompProfile()
	if err != nil || len(la.inherited()) == 0 {
		return profile, err
	}
	profile = seccomp.Deny(profile, seccomp.Steering()...)
	if !la.hasWayOut() || la.gateway.Isolation.AllowConnect {
		return profile, nil
	}
	if profile == nil {
		return nil, errors.New(`an inherited listener leads out of network = "none", and isolation.seccomp = "unconfined" cannot keep the program from that: ` +
			`want seccomp = "default", mode = "proxy", or isolation.allow_connect = true, which says that it may`)
	}
	return seccomp.Deny(profile, seccomp.WayOut()...), nil
}

// hasWayOut says whether the program holds a socket of the host's network, while
// its own is empty. A unix socket leads nowhere.
func (la *launch) hasWayOut() bool {
	return la.gateway.Isolation.Network == bundle.NetworkNone && slices.ContainsFunc(la.inherited(), func(h *holding) bool {
		_, local := isUnix(h.listen.Address)
		return !local
	})
}

func (la *launch) seccompProfile() (*specs.LinuxSeccomp, error) {
	given := la.gateway.Isolation.Capabilities
	switch name := la.gateway.Isolation.Seccomp; name {
	case "default":
		return bundle.DefaultSeccomp(given...)
	case "bundle":
		return packagedSeccomp(la.packaged)
	case "unconfined":
		return nil, nil //nolint:nilnil // no profile and no fault is what was asked for
	default:
		return bundle.LoadSeccomp(name, given...)
	}
}

// packagedSeccomp is never nil: that would be no filter at all.
func packagedSeccomp(packaged *bundle.Packaged) (*specs.LinuxSeccomp, error) {
	if packaged == nil || packaged.Spec.Linux == nil || packaged.Spec.Linux.Seccomp == nil {
		return nil, errors.New(`isolation.seccomp = "bundle": config.json has no linux.seccomp`)
	}
	profile := packaged.Spec.Linux.Seccomp
	if profile.DefaultAction == "" {
		return nil, errors.New("config.json: linux.seccomp.defaultAction: missing")
	}
	return profile, nil
}

// forYouki swaps mask and value of masked comparisons: youki takes the one for the
// other (translate_op of libcontainer 0.7.0), so that of "none of these bits"
// nothing is left, such as of the default profile's against clone(2) into new
// namespaces. A youki that has mended this would let no program fork: that shows,
// and the other way round nothing would.
func forYouki(profile *specs.LinuxSeccomp) *specs.LinuxSeccomp {
	if profile == nil {
		return nil
	}
	swapped := *profile
	swapped.Syscalls = slices.Clone(profile.Syscalls)
	for i, entry := range swapped.Syscalls {
		swapped.Syscalls[i].Args = slices.Clone(entry.Args)
		for j, a := range entry.Args {
			if a.Op == specs.OpMaskedEqual {
				swapped.Syscalls[i].Args[j].Value, swapped.Syscalls[i].Args[j].ValueTwo = a.ValueTwo, a.Value
			}
		}
	}
	return &swapped
}
