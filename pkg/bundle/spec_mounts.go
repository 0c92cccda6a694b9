package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// treeOptions are those of a bind mount. It is recursive, since a bind in a user
// namespace has to be (mount_namespaces(7): what is below a mount stays there),
// and so are its flags: mount_setattr(2) sets them everywhere, where a remount
// with "ro" would leave what is mounted below writable. Nor does it touch flags
// that are locked; a remount would try to take a noexec of the host away.
var treeOptions = []string{"rbind", "rprivate", "rnosuid", "rnodev"}

// fileOptions are those of a bind mount of a single file, which has nothing
// below it. crun 1.8 takes no recursive flags there.
var fileOptions = []string{"bind", "private", "nosuid", "nodev"}

// mounts are the root, if it is one, and the fixed ones first, then the package's and the plan's, parents
// before what lies in them.
func (p Plan) mounts(h host, packaged *specs.Spec) ([]specs.Mount, error) {
	laid := map[string]specs.Mount{}
	for i, m := range packaged.Mounts {
		place := fmt.Sprintf("mounts[%d]", i)
		m.Destination = filepath.Clean(m.Destination)
		if isFixed(m.Destination) {
			continue
		}
		m, err := p.packagedMount(h, place, m)
		if err != nil {
			return nil, err
		}
		laid[m.Destination] = m
	}
	for _, m := range p.Mounts {
		m.Source, m.Target = withoutSlash(m.Source), withoutSlash(m.Target)
		laid[m.Target] = h.bind(m)
	}
	p.addDefaults(h, laid)
	mounts := slices.Concat(p.rootMount(), p.fixedMounts(h), parentsFirst(laid))
	if p.Init != "" {
		mounts = append(mounts, h.bind(Mount{Source: p.Init, Target: InitTarget, ReadOnly: true}))
	}
	return mounts, nil
}

// rootMount comes before all that lies in it.
func (p Plan) rootMount() []specs.Mount {
	if p.Overlay == nil {
		return nil
	}
	return []specs.Mount{p.Overlay.mount()}
}

// addDefaults adds a /tmp, and what a program expects in the host's network,
// unless something is mounted there already.
func (p Plan) addDefaults(h host, laid map[string]specs.Mount) {
	if p.Tmp > 0 && !covered(laid, "/tmp") {
		laid["/tmp"] = tmpfs("/tmp", "nosuid", "nodev", "mode=1777", fmt.Sprintf("size=%d", p.Tmp), fmt.Sprintf("nr_inodes=%d", inodes(p.Tmp)))
	}
	if p.Network != NetworkHost {
		return
	}
	for _, name := range []string{"hosts", "resolv.conf"} {
		target, ok := lacking(p.tree(), "/etc/"+name)
		if ok && h.offers(name) && checkTarget(target) == nil && !covered(laid, "/etc/"+name) && !covered(laid, target) {
			laid[target] = h.bind(Mount{Source: filepath.Join(h.etc, name), Target: target, ReadOnly: true})
		}
	}
}

// covered reports whether target, or a directory that it lies in, is a mount.
func covered(laid map[string]specs.Mount, target string) bool {
	for ; target != "/"; target = filepath.Dir(target) {
		if _, ok := laid[target]; ok {
			return true
		}
	}
	return false
}

func parentsFirst(laid map[string]specs.Mount) []specs.Mount {
	var mounts []specs.Mount
	for _, m := range laid {
		mounts = append(mounts, m)
	}
	// A parent is a prefix of what lies in it, so it sorts before it.
	slices.SortFunc(mounts, func(a, b specs.Mount) int { return cmp.Compare(a.Destination, b.Destination) })
	return mounts
}

// fixedMounts are the same in every container. devpts has no gid=5: that group
// is not mapped.
func (p Plan) fixedMounts(h host) []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		tmpfs("/dev", "nosuid", "noexec", "strictatime", "mode=755", "size=65536k", "nr_inodes=16384"),
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
		tmpfs("/dev/shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k", "nr_inodes=16384"),
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		p.sys(h),
	}
}

// sys is a new sysfs, which shows the devices of its network namespace, so the
// kernel wants that to be a new one, too. Without, the host's is bound, with
// all that is mounted below it read-only. So it is where the host's own is
// read-only, as in a container: there the kernel lets a user namespace have no
// writable one, and youki makes it read-only only after that question.
func (p Plan) sys(h host) specs.Mount {
	if p.Network == NetworkNone && !h.sysReadOnly {
		return specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}}
	}
	return specs.Mount{Destination: "/sys", Type: "bind", Source: "/sys", Options: append(slices.Clone(treeOptions), "rnoexec", "rro")}
}

// inodes bounds how many files may lie in a tmpfs of this size: the kernel takes a
// kilobyte for each, which its size does not count.
func inodes(size int64) int64 { return max(size/4096, 64) }

func tmpfs(target string, options ...string) specs.Mount {
	return specs.Mount{Destination: target, Type: "tmpfs", Source: "tmpfs", Options: options}
}

func (h host) bind(m Mount) specs.Mount {
	options, readOnly := slices.Clone(treeOptions), "rro"
	if m.File || h.isFile(m.Source) {
		options, readOnly = slices.Clone(fileOptions), "ro"
	}
	if m.File {
		options = append(options, "noexec")
	}
	if m.ReadOnly {
		options = append(options, readOnly)
	}
	return specs.Mount{Destination: m.Target, Type: "bind", Source: m.Source, Options: options}
}

// kernelDirs are filled by gatewayd alone: a mount there could uncover what is
// masked, or cover /proc with files that lie.
var kernelDirs = []string{"/dev", "/proc", "/sys"}

func checkTarget(target string) error {
	if !isCleanAbs(target) {
		return errors.New("not a clean absolute path")
	}
	if target == "/" {
		return errors.New("it would hide the whole tree")
	}
	for _, dir := range kernelDirs {
		if target == dir || within(dir, target) {
			return fmt.Errorf("%s is not for other mounts", dir)
		}
	}
	return nil
}

func isBind(m specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// packagedMount is the mount of a package as it may be: a tmpfs, or a read-only
// bind from below the bundle.
func (p Plan) packagedMount(h host, place string, m specs.Mount) (specs.Mount, error) {
	if err := checkTarget(m.Destination); err != nil {
		return m, refused(place+".destination", err.Error())
	}
	if len(m.UIDMappings)+len(m.GIDMappings) > 0 {
		return m, refused(place+".uidMappings", "id-mapped mounts are not supported")
	}
	switch {
	case isBind(m):
		if p.Bundle == "" || !isCleanAbs(m.Source) || !within(p.Bundle, m.Source) {
			return m, refused(place+".source", "not below the bundle")
		}
		return h.bind(Mount{Source: m.Source, Target: m.Destination, ReadOnly: true}), nil
	case m.Type == "tmpfs":
		return packagedTmpfs(place, m)
	}
	return m, refused(place+".type", "only tmpfs, and bind from below the bundle")
}

// packagedTmpfs keeps the options that stay inside of the mount.
func packagedTmpfs(place string, m specs.Mount) (specs.Mount, error) {
	options := []string{"nosuid", "nodev"}
	for i, option := range m.Options {
		switch {
		case slices.Contains([]string{"nosuid", "nodev", "rw", "suid", "dev", "exec"}, option):
			// the default, or not to be had
		case slices.Contains([]string{"ro", "noexec", "noatime", "nodiratime", "relatime", "strictatime"}, option),
			isNumberOption(option, "size=", "kKmMgG%"), isNumberOption(option, "nr_inodes=", "kKmMgG"), isNumberOption(option, "mode=", ""):
			options = append(options, option)
		default:
			return m, refused(fmt.Sprintf("%s.options[%d]", place, i), "no option for a packaged tmpfs")
		}
	}
	return tmpfs(m.Destination, options...), nil
}

// isNumberOption: NAME=digits with one of the unit letters behind them, if any.
func isNumberOption(option, name, units string) bool {
	number, ok := strings.CutPrefix(option, name)
	if !ok {
		return false
	}
	if last := len(number) - 1; last > 0 && strings.Contains(units, number[last:]) {
		number = number[:last]
	}
	return number != "" && len(number) <= 20 && strings.Trim(number, "0123456789") == ""
}
