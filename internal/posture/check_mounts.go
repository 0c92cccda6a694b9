package posture

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/capability"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// open opens path as the container sees it: no link in it leads out of its root.
func (c *check) open(path string, flags uint64) (int, error) {
	fd, err := unix.Openat2(c.root, path, &unix.OpenHow{
		Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// look returns what is at path in the container.
func (c *check) look(path string) (*unix.Statx_t, error) {
	fd, err := c.open(path, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	return statAt(fd, "", unix.AT_EMPTY_PATH)
}

func absent(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) }

// isClosed: the program has the uid of a user's gatewayd, and may take the modes of
// its directories from both.
func isClosed(err error) bool { return errors.Is(err, unix.EACCES) }

// has says whether a mount has a flag: its own, or its file system's.
func has(m *mountinfo.Info, flag string) bool {
	return slices.Contains(strings.Split(m.Options, ","), flag) || slices.Contains(strings.Split(m.VFSOptions, ","), flag)
}

func lacking(m *mountinfo.Info, flags []string) bool {
	return slices.ContainsFunc(flags, func(flag string) bool { return !has(m, flag) })
}

// isOurs says whether a file system is mounted where we are, too.
func (c *check) isOurs(m *mountinfo.Info) bool {
	return slices.ContainsFunc(c.ours.mounts, func(o *mountinfo.Info) bool { return o.Major == m.Major && o.Minor == m.Minor })
}

func describe(m *mountinfo.Info) string {
	text := m.FSType + " " + m.Options
	if m.Root != "/" {
		text += " of " + m.Root
	}
	if m.Optional != "" {
		text += " " + m.Optional
	}
	return text
}

func (c *check) rootMount() error {
	found := c.facts.at("/")
	if found == nil {
		c.want("root", false, "a mount", "none")
		return nil
	}
	holds, promised := !lacking(found, c.Root.Flags), strings.Join(c.Root.Flags, ",")
	if c.Root.Type != "" {
		promised = strings.TrimSpace(c.Root.Type + " " + promised)
		holds = holds && found.FSType == c.Root.Type && !c.isOurs(found) && c.isUpper(found)
	} else {
		st, err := statAt(c.root, "", unix.AT_EMPTY_PATH)
		if err != nil {
			return err
		}
		promised = strings.TrimSpace("the staged tree " + promised)
		holds = holds && identity(st) == c.Root.File
	}
	c.want("root", holds, promised, describe(found))
	return nil
}

// isUpper: what is escaped, one way by overlayfs and another one by the kernel's
// table of mounts, is taken as it is.
func (c *check) isUpper(m *mountinfo.Info) bool {
	upper := option(strings.Split(m.VFSOptions, ","), "upperdir=")
	return upper == c.Root.Upper || strings.Contains(upper+c.Root.Upper, `\`)
}

// mountAt finds a promised mount: where a link leads to its target, behind it.
func (c *check) mountAt(target string) (*mountinfo.Info, error) {
	if m := c.facts.at(target); m != nil {
		return m, nil
	}
	st, err := c.look(target)
	if absent(err) {
		return nil, nil //nolint:nilnil // none is what was found
	}
	if err != nil {
		return nil, err
	}
	if st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return nil, nil //nolint:nilnil // likewise
	}
	return c.facts.byID[int(st.Mnt_id)], nil
}

func (c *check) promisedMounts() error {
	for _, m := range c.Mounts {
		found, err := c.mountAt(m.Target)
		if err != nil {
			return err
		}
		if found == nil {
			c.want("mount "+m.Target, false, m, "none")
			continue
		}
		c.placed[found.ID] = m
		same, err := c.isSource(m, found)
		if err != nil {
			c.unseen("source of mount "+m.Target, err)
			same = true
		}
		c.want("mount "+m.Target, same && c.isAs(m, found), m, describe(found)+bounds(found))
	}
	return nil
}

// isSource says whether what is mounted is what was promised: a file system of its
// own, or the very file.
func (c *check) isSource(m Mount, found *mountinfo.Info) (bool, error) {
	if m.Type != "" {
		return found.FSType == m.Type && !c.isOurs(found), nil
	}
	st, err := c.look(m.Target)
	if err != nil {
		return false, err
	}
	return identity(st) == m.Source, nil
}

func (c *check) isAs(m Mount, found *mountinfo.Info) bool {
	if lacking(found, m.Flags) || m.Private && found.Optional != "" {
		return false
	}
	options := strings.Split(found.VFSOptions, ",")
	within := func(name string, promised uint64) bool {
		n, ok := parseSize(option(options, name))
		return promised == 0 || ok && n <= promised+uint64(os.Getpagesize())
	}
	return within("size=", m.Size) && within("nr_inodes=", m.Inodes)
}

// bounds are those of a tmpfs.
func bounds(m *mountinfo.Info) (text string) {
	for _, name := range []string{"size=", "nr_inodes="} {
		if value := option(strings.Split(m.VFSOptions, ","), name); value != "" {
			text += " " + name + value
		}
	}
	return text
}

func (m Mount) String() string {
	kind := m.Type
	if kind == "" {
		kind = "bound"
	}
	text := strings.TrimSpace(kind + " " + strings.Join(m.Flags, ","))
	if m.Private {
		text += " private"
	}
	if m.Size > 0 {
		text += fmt.Sprintf(" size=%d", m.Size)
	}
	if m.Inodes > 0 {
		text += fmt.Sprintf(" nr_inodes=%d", m.Inodes)
	}
	return text
}

// otherMounts are those that nobody has promised: but for what every runtime does,
// there are none, unless the program may make some.
func (c *check) otherMounts() error {
	if c.may(capability.CAP_SYS_ADMIN) {
		c.unseen("other mounts", errors.New("the program may make them by CAP_SYS_ADMIN"))
		return nil
	}
	count := 0
	for _, m := range c.facts.mounts {
		if _, promised := c.placed[m.ID]; promised || m.Mountpoint == "/" || c.covers(m) {
			continue
		}
		if of, ok := c.above(m); ok && of.Tree {
			c.below(of, m)
			continue
		}
		if d, ok := c.device(m.Mountpoint); ok {
			if err := c.isDevice(d); err != nil {
				return err
			}
			continue
		}
		count++
		c.want("mount "+m.Mountpoint, false, "none", describe(m))
	}
	if count == 0 {
		c.want("other mounts", true, "none", "none")
	}
	return nil
}

// covers: masked and read-only paths are looked at by themselves. Behind a symbolic
// link of the package the mount has another path.
func (c *check) covers(m *mountinfo.Info) bool {
	paths := slices.Concat(c.Masked, c.ReadOnly)
	return slices.Contains(paths, m.Mountpoint) || slices.ContainsFunc(paths, func(path string) bool {
		st, err := c.look(path)
		return err == nil && isMount(st) && int(st.Mnt_id) == m.ID
	})
}

// above is the promised mount that a mount lies below.
func (c *check) above(m *mountinfo.Info) (of Mount, ok bool) {
	parent := c.facts.byID[m.Parent]
	for range c.facts.mounts { // and no longer, whatever the table says
		if parent == nil {
			return Mount{}, false
		}
		if of, ok := c.placed[parent.ID]; ok {
			return of, true
		}
		parent = c.facts.byID[parent.Parent]
	}
	return Mount{}, false
}

func (c *check) below(of Mount, m *mountinfo.Info) {
	if lacking(m, of.Below) || of.Private && m.Optional != "" {
		promised := strings.Join(of.Below, ",")
		if of.Private {
			promised += " private"
		}
		c.want("mount "+m.Mountpoint+" below "+of.Target, false, promised, describe(m))
	}
}

func (c *check) device(path string) (Device, bool) {
	i := slices.IndexFunc(c.Devices, func(d Device) bool { return d.Path == path })
	if i < 0 {
		return Device{}, false
	}
	return c.Devices[i], true
}

func (c *check) isDevice(d Device) error {
	st, err := c.look(d.Path)
	if err != nil {
		return err
	}
	if st.Rdev_major != d.Major || st.Rdev_minor != d.Minor {
		c.want("device "+d.Path, false, fmt.Sprintf("%d:%d", d.Major, d.Minor), fmt.Sprintf("%d:%d", st.Rdev_major, st.Rdev_minor))
	}
	return nil
}
