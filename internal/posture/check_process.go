package posture

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// ids are those of the namespace and of the process in it.
func (c *check) ids() {
	f := c.facts
	c.want("uid map", slices.Equal(f.uidMap, c.UIDs), c.UIDs, f.uidMap)
	c.want("gid map", slices.Equal(f.gidMap, c.GIDs), c.GIDs, f.gidMap)
	if c.Setgroups != "" {
		c.want("setgroups", f.setgroups == c.Setgroups, c.Setgroups, f.setgroups)
	}
	c.want("user", c.areOf(f.uids, c.UID, c.UIDs, capability.CAP_SETUID), c.UID, f.uids)
	c.want("group", c.areOf(f.gids, c.GID, c.GIDs, capability.CAP_SETGID), c.GID, f.gids)
	groups := c.Groups
	if c.Setgroups == "deny" {
		groups = c.ours.groups // no process in there could have dropped them
	}
	allowed := func(id uint32) bool {
		return slices.Contains(groups, id) || id == c.GID || c.may(capability.CAP_SETGID) && hasHost(c.GIDs, id)
	}
	c.want("groups", !slices.ContainsFunc(f.groups, func(id uint32) bool { return !allowed(id) }), groups, f.groups)
}

// areOf says whether all ids are the promised one, or the program's to choose: by a
// capability, or a set-user-ID file of its own where those take effect.
func (c *check) areOf(ids []uint32, promised uint32, of []Range, change capability.Cap) bool {
	return !slices.ContainsFunc(ids, func(id uint32) bool {
		return id != promised && (c.NoNew && !c.may(change) || !hasHost(of, id))
	})
}

func (c *check) may(do capability.Cap) bool { return c.Sets.Effective&(1<<do) != 0 }

// powers are what it may do, and could come to.
func (c *check) powers() {
	// What a program holds, it may also hand on: inheritable and ambient follow.
	own := c.Sets.Permitted
	for _, set := range []struct {
		name             string
		promised, beside uint64
		found            uint64
	}{
		{"inheritable", c.Sets.Inheritable, own, c.facts.sets.Inheritable},
		{"permitted", c.Sets.Permitted, 0, c.facts.sets.Permitted},
		{"effective", c.Sets.Effective, 0, c.facts.sets.Effective},
		{"bounding", c.Sets.Bounding, 0, c.facts.sets.Bounding},
		{"ambient", c.Sets.Ambient, own, c.facts.sets.Ambient},
	} {
		holds := set.found&^(set.promised|set.beside) == 0
		c.want("capabilities, "+set.name, holds, capabilities(set.promised), capabilities(set.found))
	}
	c.want("no_new_privs", c.facts.noNew || !c.NoNew, number(c.NoNew), number(c.facts.noNew))
	c.seccomp()
}

// seccomp: a filter that we have is the container's as well, and its program may
// add more.
func (c *check) seccomp() {
	filters, mode := max(c.ours.filters, 0), c.ours.seccomp
	if c.Filtered {
		filters, mode = filters+1, unix.SECCOMP_MODE_FILTER
	}
	c.want("seccomp mode", c.facts.seccomp >= mode, mode, c.facts.seccomp)
	if c.facts.filters < 0 {
		c.unseen("seccomp filters", fmt.Errorf("the kernel does not count them (before Linux 5.9)"))
		return
	}
	c.want("seccomp filters", c.facts.filters >= filters, fmt.Sprintf("%d or more", filters), c.facts.filters)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// capabilities names those of a set; all is the answer for one with all bits that a
// kernel may have.
func capabilities(set uint64) string {
	if bits.OnesCount64(set) > 20 {
		return fmt.Sprintf("%016x", set)
	}
	var names []string
	for i := range 64 {
		if set&(1<<i) != 0 {
			names = append(names, capabilityName(capability.Cap(i)))
		}
	}
	return strings.Join(names, " ")
}

// namespaces are its own, or ours.
func (c *check) namespaces() {
	for _, kind := range []string{"user", "pid", "mnt", "ipc", "uts", "cgroup", "net", "time"} {
		found, shown := c.facts.spaces[kind]
		if !shown {
			continue
		}
		what, shared := kind+" namespace", found == c.ours.spaces[kind]
		i := slices.IndexFunc(c.Spaces, func(s Space) bool { return s.Kind == kind })
		switch {
		case i < 0:
			c.want(what, shared || c.may(capability.CAP_SYS_ADMIN), "the host's", whose(shared))
		case c.Spaces[i].Joined != File{}:
			c.want(what, found == c.Spaces[i].Joined, c.Spaces[i].Joined, found)
		default:
			c.want(what, !shared, "its own", whose(shared))
		}
	}
	// Of a pid namespace that others have made it would not be the first process.
	last := c.facts.pids[len(c.facts.pids)-1]
	if slices.ContainsFunc(c.Spaces, func(s Space) bool { return s.Kind == "pid" && s.Joined == File{} }) {
		c.want("pid in the container", last == 1, 1, last)
	}
}

func whose(shared bool) string {
	if shared {
		return "the host's"
	}
	return "its own"
}

// resources are what it may use up.
func (c *check) resources() {
	if c.Cgroup != "" {
		below := strings.HasPrefix(c.facts.cgroup, c.Cgroup+"/")
		c.want("cgroup", c.facts.cgroup == c.Cgroup || below, c.Cgroup, c.facts.cgroup)
	}
	promised := map[string]uint64{}
	for resource, hard := range c.ours.limits {
		promised[resource] = hard
	}
	for _, l := range c.Limits {
		promised[l.Resource] = l.Hard
	}
	var above []string
	for _, resource := range sorted(promised) {
		if found := c.facts.limits[resource]; found > promised[resource] {
			above = append(above, resource)
			c.want(resource, false, limit(promised[resource]), limit(found))
		}
	}
	if len(above) == 0 {
		c.want("limits", true, fmt.Sprintf("%d of the spec, ours for the others", len(c.Limits)), "not above")
	}
}

// program: that of the spec may have become another one of the container since.
func (c *check) program() {
	holds, promised := true, strconv.Quote(c.Program)
	if !c.Stays {
		promised += ", or another one of the container"
	} else if named, err := c.look(c.Program); err != nil || identity(named) != identity(c.exe) {
		holds = false
	}
	c.want("executable", holds, promised, c.process.link("exe"))
}

func limit(n uint64) string {
	if n == math.MaxUint64 {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}
