package bundle

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// refuse looks for what a package may not ask for. Hooks are the worst: they
// are programs that the runtime starts outside of the container.
func refuse(s *specs.Spec) error {
	for _, f := range []struct {
		place, why string
		asked      bool
	}{
		{"hooks", "they would run on the host", s.Hooks != nil && !noHooks(s.Hooks)},
		{"domainname", "not supported", s.Domainname != ""},
		{"solaris", "not of this system", s.Solaris != nil},
		{"windows", "not of this system", s.Windows != nil},
		{"vm", "not of this system", s.VM != nil},
		{"zos", "not of this system", s.ZOS != nil},
	} {
		if f.asked {
			return refused(f.place, f.why)
		}
	}
	if s.Process != nil {
		if err := refuseProcess(s.Process); err != nil {
			return err
		}
	}
	if s.Linux != nil {
		return refuseLinux(s.Linux)
	}
	return nil
}

func noHooks(h *specs.Hooks) bool {
	//nolint:staticcheck // Prestart is deprecated; runtimes run it all the same.
	return len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer)+len(h.StartContainer)+len(h.Poststart)+len(h.Poststop) == 0
}

func refuseProcess(p *specs.Process) error {
	for _, f := range []struct {
		place, why string
		asked      bool
	}{
		{"process.apparmorProfile", "not supported", p.ApparmorProfile != ""},
		{"process.selinuxLabel", "not supported", p.SelinuxLabel != ""},
		{"process.commandLine", "not of this system", p.CommandLine != ""},
	} {
		if f.asked {
			return refused(f.place, f.why)
		}
	}
	return nil
}

func refuseLinux(l *specs.Linux) error {
	for _, f := range []struct {
		place, why string
		asked      bool
	}{
		{"linux.devices", "only the default devices are in /dev", len(l.Devices) > 0},
		{"linux.netDevices", "devices of the host stay there", len(l.NetDevices) > 0},
		{"linux.sysctl", "not supported", len(l.Sysctl) > 0},
		{"linux.mountLabel", "not supported", l.MountLabel != ""},
		{"linux.intelRdt", "not supported", l.IntelRdt != nil},
		{"linux.memoryPolicy", "not supported", l.MemoryPolicy != nil},
		{"linux.personality", "not supported", l.Personality != nil},
		{"linux.timeOffsets", "not supported", len(l.TimeOffsets) > 0},
		{"linux.rootfsPropagation", "mounts are private", !isPrivate(l.RootfsPropagation)},
	} {
		if f.asked {
			return refused(f.place, f.why)
		}
	}
	for i, n := range l.Namespaces {
		if n.Path != "" {
			return refused(fmt.Sprintf("linux.namespaces[%d].path", i), "namespaces are new ones")
		}
	}
	return nil
}

func isPrivate(propagation string) bool {
	switch propagation {
	case "", "private", "rprivate", "slave", "rslave":
		return true
	}
	return false
}
