package launch

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/seccomp"
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
