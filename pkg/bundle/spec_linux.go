package bundle

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maskedPaths and readonlyPaths are moby's default lists: what the kernel shows
// or takes without a look at namespaces.
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
		"/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
		"/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

func (p Plan) linux(packaged *specs.Linux) (*specs.Linux, error) {
	if packaged == nil {
		packaged = &specs.Linux{}
	}
	masked, err := p.morePaths("linux.maskedPaths", maskedPaths, packaged.MaskedPaths)
	if err != nil {
		return nil, err
	}
	readonly, err := p.morePaths("linux.readonlyPaths", readonlyPaths, packaged.ReadonlyPaths)
	if err != nil {
		return nil, err
	}
	uids, gids, err := p.mappings(packaged)
	if err != nil {
		return nil, err
	}
	return &specs.Linux{
		UIDMappings:   uids,
		GIDMappings:   gids,
		CgroupsPath:   p.CgroupsPath,
		Namespaces:    p.namespaces(),
		Seccomp:       p.Seccomp,
		MaskedPaths:   masked,
		ReadonlyPaths: readonly,
	}, nil
}

// namespaces has no time namespace: nothing of the host's clocks is secret, and
// older runtimes do not know it.
func (p Plan) namespaces() []specs.LinuxNamespace {
	namespaces := []specs.LinuxNamespace{
		{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}, {Type: specs.IPCNamespace},
		{Type: specs.UTSNamespace}, {Type: specs.CgroupNamespace},
	}
	if !p.InNamespace {
		namespaces = slices.Insert(namespaces, 0, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	if p.Network == NetworkNone {
		namespaces = append(namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	}
	return namespaces
}

// morePaths adds a package's own: it may close more of itself, never open.
func (p Plan) morePaths(place string, ours, packaged []string) ([]string, error) {
	paths := slices.Clone(ours)
	for i, path := range packaged {
		if !isCleanAbs(path) {
			return nil, refused(fmt.Sprintf("%s[%d]", place, i), "not a clean absolute path")
		}
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return slices.DeleteFunc(paths, func(path string) bool { return slices.Contains(p.Given.Unmask, path) }), nil
}
