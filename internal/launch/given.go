package launch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// limits are the configured ones in the words of the runtime specification. The
// program cannot raise them. Who has secrets writes no core into its root, which is
// on the disk, but where that was asked for.
func limits(g config.Gateway) []specs.POSIXRlimit {
	values := make(map[string]int64)
	if len(g.Secrets) > 0 {
		values["core"] = 0
	}
	maps.Copy(values, g.Isolation.Limits)
	var list []specs.POSIXRlimit
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := uint64(values[name])
		list = append(list, specs.POSIXRlimit{Type: "RLIMIT_" + strings.ToUpper(name), Hard: value, Soft: value})
	}
	return list
}

// advise adds to the refusal of a package the keys by which it runs.
func (la *launch) advise(err error) error {
	refusal := new(bundle.Refusal)
	if !errors.As(err, &refusal) {
		return err
	}
	if keys := la.keysFor(refusal); keys != nil {
		return fmt.Errorf("%w: want %s", err, strings.Join(keys, ", or "))
	}
	return fmt.Errorf("%w: there is no key that gives it", err)
}

// keysFor are the keys by which what was refused is given, or left out.
func (la *launch) keysFor(r *bundle.Refusal) (keys []string) {
	inMounts := strings.HasPrefix(r.Place, "mounts[")
	switch {
	case strings.HasPrefix(r.Place, "process.capabilities."):
		keys = []string{"isolation.capabilities = " + quoted(r.Asked)}
	case r.Place == "process.noNewPrivileges":
		keys = []string{"isolation.no_new_privs = false"}
	case r.Place == "linux.seccomp":
		keys = []string{`isolation.seccomp = "bundle"`}
	case r.Place == "linux.maskedPaths" || r.Place == "linux.readonlyPaths":
		keys = []string{"isolation.unmask = " + quoted(r.Asked)}
	case inMounts && strings.HasSuffix(r.Place, ".source"):
		keys = []string{"a [[gateway." + la.gateway.Name + ".mount]] in the place of it"}
	}
	if r.Weaker {
		keys = append(keys, "isolation.override = true, which has gatewayd's own in its place")
	}
	return keys
}

// quoted is an array of the configuration; of capabilities it has the short names.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strconv.Quote(strings.TrimPrefix(name, "CAP_"))
	}
	return "[" + strings.Join(list, ", ") + "]"
}
