package posture

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Promise is how a process is to be isolated. It holds no secret, and can be handed
// to another image of the daemon as JSON.
type Promise struct {
	UIDs      []Range  `json:"uids"`
	GIDs      []Range  `json:"gids"`
	Setgroups string   `json:"setgroups,omitempty"` // "allow" or "deny"; empty: either
	UID       uint32   `json:"uid"`                 // these are the host's
	GID       uint32   `json:"gid"`
	Groups    []uint32 `json:"groups,omitempty"`
	Sets      Sets     `json:"capabilities"`
	NoNew     bool     `json:"no_new_privs"`
	Filtered  bool     `json:"filtered"` // by seccomp
	Spaces    []Space  `json:"namespaces"`
	Root      Root     `json:"root"`
	Masked    []string `json:"masked,omitempty"`
	ReadOnly  []string `json:"read_only,omitempty"`
	Mounts    []Mount  `json:"mounts"`
	Devices   []Device `json:"devices"`
	Cgroup    string   `json:"cgroup,omitempty"` // as below /sys/fs/cgroup; empty: the runtime's choice
	Limits    []Limit  `json:"limits,omitempty"`
	Files     []File   `json:"files,omitempty"` // passed on, of those that no path leads to
	Program   string   `json:"program"`
	Stays     bool     `json:"stays,omitempty"`
}

// Space is a namespace that is not ours.
type Space struct {
	Kind   string `json:"kind"`            // as /proc/PID/ns calls it
	Joined File   `json:"joined,omitzero"` // zero: a new one
}

// Device is one that is bound into /dev.
type Device struct {
	Path  string `json:"path"`
	Major uint32 `json:"major"`
	Minor uint32 `json:"minor"`
}

// Limit is the hard limit of a resource: the soft one is the program's to choose.
type Limit struct {
	Resource string `json:"resource"` // RLIMIT_…
	Hard     uint64 `json:"hard"`
}

// Given is what the spec does not say.
type Given struct {
	// UIDs and GIDs are those of the user namespace that the runtime runs in
	// already; nil: it makes the one that the spec asks for.
	UIDs, GIDs []specs.LinuxIDMapping
	// Rootless: whoever runs the runtime has no privilege. With one id of its own
	// the kernel then forbids setgroups(2), and the groups stay.
	Rootless bool
	// Files are passed to the program, or a pipe to it: nil ones are passed over.
	Files []*os.File
	// Stays: the program never becomes another one, as an init does not.
	Stays bool
}

// Of takes the promise from the spec that the runtime is given. It comes before the
// container is made: what is bound into it is looked at as it is now.
func Of(spec *specs.Spec, given Given) (Promise, error) {
	p, err := of(spec, given)
	if err != nil {
		return Promise{}, fmt.Errorf("note what the container is to be: %w", err)
	}
	return p, nil
}

func of(spec *specs.Spec, given Given) (Promise, error) {
	p := Promise{
		UIDs: ranges(spec.Linux.UIDMappings), GIDs: ranges(spec.Linux.GIDMappings),
		NoNew: spec.Process.NoNewPrivileges, Filtered: spec.Linux.Seccomp != nil,
		Masked: spec.Linux.MaskedPaths, ReadOnly: spec.Linux.ReadonlyPaths,
		Cgroup: spec.Linux.CgroupsPath, Devices: devices(spec), Program: spec.Process.Args[0], Stays: given.Stays,
	}
	for _, l := range spec.Process.Rlimits {
		p.Limits = append(p.Limits, Limit{l.Type, l.Hard})
	}
	var err error
	if p.Sets, err = sets(spec.Process.Capabilities); err != nil {
		return p, err
	}
	if err := p.takeNamespaces(spec.Linux.Namespaces, given); err != nil {
		return p, err
	}
	if err := p.takeUser(spec.Process.User, given); err != nil {
		return p, err
	}
	for _, file := range given.Files {
		if file == nil {
			continue
		}
		id, err := fileOf(file)
		if err != nil {
			return p, err
		}
		p.Files = append(p.Files, id)
	}
	return p, p.takeMounts(spec)
}

func (p *Promise) takeNamespaces(list []specs.LinuxNamespace, given Given) error {
	kinds := map[specs.LinuxNamespaceType]string{specs.NetworkNamespace: "net", specs.MountNamespace: "mnt"}
	for _, n := range list {
		space := Space{Kind: string(n.Type)}
		if short, ok := kinds[n.Type]; ok {
			space.Kind = short
		}
		if n.Path != "" {
			var err error
			if space.Joined, err = fileAt(n.Path); err != nil {
				return err
			}
		}
		p.Spaces = append(p.Spaces, space)
	}
	if given.UIDs != nil {
		p.UIDs, p.GIDs = ranges(given.UIDs), ranges(given.GIDs)
		p.Spaces = append(p.Spaces, Space{Kind: "user"})
	}
	return nil
}

func (p *Promise) takeUser(user specs.User, given Given) error {
	var known bool
	if p.UID, known = toHost(p.UIDs, user.UID); !known {
		return fmt.Errorf("user %d of the container is not mapped", user.UID)
	}
	if p.GID, known = toHost(p.GIDs, user.GID); !known {
		return fmt.Errorf("group %d of the container is not mapped", user.GID)
	}
	for _, group := range user.AdditionalGids {
		host, known := toHost(p.GIDs, group)
		if !known {
			return fmt.Errorf("group %d of the container is not mapped", group)
		}
		p.Groups = append(p.Groups, host)
	}
	switch {
	case given.UIDs != nil:
		p.Setgroups = "allow" // what it was made for
	case given.Rootless:
		p.Setgroups = "deny" // or the map could not have been written: user_namespaces(7)
	}
	return nil
}

// Sets are the capability sets of a process, a bit for each capability.
type Sets struct {
	Inheritable uint64 `json:"inheritable"`
	Permitted   uint64 `json:"permitted"`
	Effective   uint64 `json:"effective"`
	Bounding    uint64 `json:"bounding"`
	Ambient     uint64 `json:"ambient"`
}

func sets(c *specs.LinuxCapabilities) (s Sets, err error) {
	if c == nil {
		return s, fmt.Errorf("process.capabilities: left out, so that nothing would be dropped")
	}
	for _, set := range []struct {
		to    *uint64
		names []string
	}{
		{&s.Inheritable, c.Inheritable}, {&s.Permitted, c.Permitted}, {&s.Effective, c.Effective},
		{&s.Bounding, c.Bounding}, {&s.Ambient, c.Ambient},
	} {
		if *set.to, err = mask(set.names); err != nil {
			return s, err
		}
	}
	return s, nil
}

func mask(names []string) (bits uint64, err error) {
	known := capability.ListKnown()
	for _, name := range names {
		i := slices.IndexFunc(known, func(c capability.Cap) bool { return capabilityName(c) == name })
		if i < 0 {
			return 0, fmt.Errorf("capability %q is not known", name)
		}
		bits |= 1 << known[i]
	}
	return bits, nil
}

func capabilityName(c capability.Cap) string { return "CAP_" + strings.ToUpper(c.String()) }

// defaultDevices are those that every runtime puts into /dev: config-linux.md of the
// runtime specification.
var defaultDevices = []Device{
	{"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7},
	{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
}

func devices(spec *specs.Spec) []Device {
	list := slices.Clone(defaultDevices)
	for _, d := range spec.Linux.Devices {
		list = append(list, Device{d.Path, uint32(d.Major), uint32(d.Minor)})
	}
	return list
}

// isNull: nothing can be had or done by it, whoever's it is.
func isNull(st *unix.Statx_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev_major == 1 && st.Rdev_minor == 3
}
