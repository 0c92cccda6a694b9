package bundle

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// refuseWeaker looks for what a package says and would isolate it less than the
// plan does. To give it would be wrong, and to leave it out without a word would
// be a program that fails in a way that nobody understands.
func (p Plan) refuseWeaker(s *specs.Spec) error {
	if s.Process != nil {
		if err := p.refuseCapabilities(s.Process); err != nil {
			return err
		}
	}
	for i, m := range s.Mounts {
		if err := refuseMount(fmt.Sprintf("mounts[%d]", i), m); err != nil {
			return err
		}
	}
	if s.Linux == nil {
		return nil
	}
	if s.Linux.Seccomp != nil && !p.SeccompChosen {
		return refused("linux.seccomp", "a profile of the package's own")
	}
	return p.refuseUncovered(s.Linux)
}

func (p Plan) refuseCapabilities(process *specs.Process) error {
	c := process.Capabilities
	if c == nil {
		return nil
	}
	given := p.mayHave(process.User)
	var first *Refusal
	for _, set := range []struct {
		name  string
		names []string
	}{
		{"bounding", c.Bounding}, {"effective", c.Effective}, {"inheritable", c.Inheritable}, {"permitted", c.Permitted}, {"ambient", c.Ambient},
	} {
		for i, name := range set.names {
			if slices.Contains(given, name) {
				continue
			}
			if first == nil {
				first = &Refusal{Place: fmt.Sprintf("process.capabilities.%s[%d]", set.name, i), Why: fmt.Sprintf("%q is not given", name)}
			}
			first.Asked = append(first.Asked, name)
		}
	}
	if first == nil {
		return nil // and no nil *Refusal, which would be an error
	}
	slices.Sort(first.Asked)
	first.Asked = slices.Compact(first.Asked)
	return first
}

// usuallyMasked is what the tools write that make a config.json (runc spec and
// its like): a list without one of these was shortened by somebody. What our own
// list has beyond it no package asks for by its silence.
var usuallyMasked = []string{
	"/proc/kcore", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
}

func (p Plan) refuseUncovered(l *specs.Linux) error {
	for _, list := range []struct {
		place       string
		asked, want []string
	}{
		{"linux.maskedPaths", l.MaskedPaths, usuallyMasked}, {"linux.readonlyPaths", l.ReadonlyPaths, readonlyPaths},
	} {
		left := slices.DeleteFunc(slices.Clone(list.want), func(path string) bool {
			return list.asked == nil || slices.Contains(list.asked, path) || slices.Contains(p.Given.Unmask, path)
		})
		if len(left) > 0 {
			return &Refusal{Place: list.place, Why: "leaves out " + left[0], Asked: left}
		}
	}
	return refuseAllDevices(l.Resources)
}

func refuseAllDevices(r *specs.LinuxResources) error {
	if r == nil {
		return nil
	}
	for i, d := range r.Devices {
		if d.Allow && isAny(d.Major) && isAny(d.Minor) && (d.Access == "" || strings.ContainsAny(d.Access, "rw")) {
			return refused(fmt.Sprintf("linux.resources.devices[%d]", i), "all devices")
		}
	}
	return nil
}

func isAny(number *int64) bool { return number == nil || *number < 0 }

// refuseMount looks at how something is mounted; what may be mounted where
// packagedMount says.
func refuseMount(place string, m specs.Mount) error {
	target := filepath.Clean(m.Destination)
	if isFixed(target) {
		return refuseFixed(place, target, m)
	}
	for i, option := range m.Options {
		if slices.Contains([]string{"suid", "dev"}, option) || option == "rw" && isBind(m) {
			return refused(fmt.Sprintf("%s.options[%d]", place, i), fmt.Sprintf("%q is not given", option))
		}
	}
	return nil
}

// fixedTypes are the types that belong to the places of the fixed mounts.
var fixedTypes = map[string][]string{
	"/proc": {"proc"}, "/dev": {"tmpfs"}, "/dev/pts": {"devpts"}, "/dev/shm": {"tmpfs"}, "/dev/mqueue": {"mqueue"},
	"/sys": {"sysfs"}, "/sys/fs/cgroup": {"cgroup", "cgroup2"},
}

// refuseFixed: what a package says of these places is passed over, but for the
// host's own in the place of a new one. /sys is bound, read-only, where there is
// no network namespace to make a new one for.
func refuseFixed(place, target string, m specs.Mount) error {
	if !isBind(m) {
		if !slices.Contains(fixedTypes[target], m.Type) {
			return refused(place+".type", target+" is a new "+fixedTypes[target][0])
		}
		return nil
	}
	readOnly := slices.Contains(m.Options, "ro") || slices.Contains(m.Options, "rro")
	if !strings.HasPrefix(target, "/sys") || filepath.Clean(m.Source) != target || !readOnly {
		return refused(place+".source", target+" is a new "+fixedTypes[target][0])
	}
	return nil
}

// isFixed reports whether something of the container's own is mounted at target in
// any case.
func isFixed(target string) bool { return fixedTypes[target] != nil }
