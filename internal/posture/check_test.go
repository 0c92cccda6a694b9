package posture

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// asPromised is the promise to a container of a user with several ids, and what the
// kernel shows of one that is so.
func asPromised() check {
	ours := map[string]File{}
	theirs := map[string]File{}
	for i, kind := range []string{"user", "pid", "mnt", "ipc", "uts", "cgroup", "net", "time"} {
		ours[kind], theirs[kind] = File{Inode: uint64(i)}, File{Inode: uint64(100 + i)}
	}
	theirs["net"], theirs["time"] = ours["net"], ours["time"]
	limits := map[string]uint64{}
	for _, resource := range limitNames {
		limits[resource] = 1000
	}
	six := Sets{Permitted: 0xeb, Effective: 0xeb, Bounding: 0xeb}
	ids := []Range{{0, 1001, 1}, {1, 100000, 65536}}
	all := []uint32{1001, 1001, 1001, 1001}
	c := check{
		Promise: Promise{
			UIDs: ids, GIDs: ids, Setgroups: "allow", UID: 1001, GID: 1001, Sets: six, NoNew: true, Filtered: true,
			Cgroup: "/slice/web-1", Limits: []Limit{{"RLIMIT_NOFILE", 500}},
		},
		facts: facts{
			status: status{uids: all, gids: all, pids: []uint32{4711, 1}, sets: six, noNew: true, seccomp: 2, filters: 2},
			uidMap: ids, gidMap: ids, setgroups: "allow", spaces: theirs, cgroup: "/slice/web-1", limits: maps.Clone(limits),
		},
		ours: facts{status: status{filters: 1, seccomp: 2, groups: []uint32{27, 1001}}, spaces: ours, limits: limits},
	}
	c.facts.limits["RLIMIT_NOFILE"] = 500
	for _, kind := range []string{"user", "pid", "mnt", "ipc", "uts", "cgroup"} {
		c.Spaces = append(c.Spaces, Space{Kind: kind})
	}
	return c
}

// Each thing is seen to differ, and nothing else does.
func TestDifferences(t *testing.T) {
	for what, change := range map[string]func(*check){
		"uid map":    func(c *check) { c.facts.uidMap = []Range{{0, 0, 1}} },
		"gid map":    func(c *check) { c.facts.gidMap = nil },
		"setgroups":  func(c *check) { c.facts.setgroups = "deny" },
		"user":       func(c *check) { c.facts.uids = []uint32{1001, 1001, 0, 1001} },
		"group":      func(c *check) { c.facts.gids = []uint32{1001, 27, 1001, 1001} },
		"groups":     func(c *check) { c.facts.groups = []uint32{27} },
		"groups ":    func(c *check) { c.may1(); c.facts.groups = []uint32{100001} },
		"user ":      func(c *check) { c.may1(); c.facts.uids = []uint32{100001, 1001, 1001, 1001} },
		"groups  ":   func(c *check) { c.Setgroups, c.facts.setgroups = "deny", "deny"; c.facts.groups = []uint32{28} },
		"setgroups ": func(c *check) { c.Setgroups = "deny" },

		"capabilities, inheritable": func(c *check) { c.facts.sets.Inheritable = 1 << 13 },
		"capabilities, permitted":   func(c *check) { c.facts.sets.Permitted |= 1 << 13 },
		"capabilities, effective":   func(c *check) { c.facts.sets.Effective |= 1 << 13 },
		"capabilities, bounding":    func(c *check) { c.facts.sets.Bounding = 1<<41 - 1 },
		"capabilities, ambient":     func(c *check) { c.facts.sets.Ambient = 1 << 13 },
		"no_new_privs":              func(c *check) { c.facts.noNew = false },
		"seccomp mode":              func(c *check) { c.facts.seccomp = 0 },
		"seccomp filters":           func(c *check) { c.facts.filters = 1 }, // ours

		"user namespace":       func(c *check) { c.facts.spaces["user"] = c.ours.spaces["user"] },
		"pid namespace":        func(c *check) { c.facts.spaces["pid"] = c.ours.spaces["pid"] },
		"mnt namespace":        func(c *check) { c.facts.spaces["mnt"] = c.ours.spaces["mnt"] },
		"ipc namespace":        func(c *check) { c.facts.spaces["ipc"] = c.ours.spaces["ipc"] },
		"uts namespace":        func(c *check) { c.facts.spaces["uts"] = c.ours.spaces["uts"] },
		"cgroup namespace":     func(c *check) { c.facts.spaces["cgroup"] = c.ours.spaces["cgroup"] },
		"net namespace":        func(c *check) { c.facts.spaces["net"] = File{} },
		"net namespace ":       func(c *check) { c.Spaces = append(c.Spaces, Space{Kind: "net"}) },
		"net namespace  ":      func(c *check) { c.Spaces = append(c.Spaces, Space{"net", File{Inode: 5}}) },
		"time namespace":       func(c *check) { c.facts.spaces["time"] = File{Inode: 5} },
		"pid in the container": func(c *check) { c.facts.pids = []uint32{4711, 2} },

		"cgroup":        func(c *check) { c.facts.cgroup = "/slice/web-10" },
		"cgroup ":       func(c *check) { c.facts.cgroup = "/slice" },
		"RLIMIT_NOFILE": func(c *check) { c.facts.limits["RLIMIT_NOFILE"] = 501 },
		"RLIMIT_NPROC":  func(c *check) { c.facts.limits["RLIMIT_NPROC"] = 1001 },
	} {
		c := asPromised()
		change(&c)
		c.compare()
		found := c.report.Differences()
		if len(found) != 1 || found[0].What != strings.TrimSpace(what) {
			t.Errorf("%s: differences %v", what, found)
		}
	}
}

func (c *check) compare() {
	c.ids()
	c.powers()
	c.namespaces()
	c.resources()
}

// may1 takes the capabilities away that are promised.
func (c *check) may1() { c.Sets, c.facts.sets = Sets{}, Sets{} }

// What a program may do to itself is no difference, nor what no process of a user
// could have done.
func TestNoDifferences(t *testing.T) {
	for what, change := range map[string]func(*check){
		"nothing":                func(*check) {},
		"another of its users":   func(c *check) { c.facts.uids, c.facts.gids, c.facts.groups = others, others, others[:1] },
		"capabilities given up":  func(c *check) { c.facts.sets = Sets{Bounding: 0xeb} },
		"capabilities handed on": func(c *check) { c.facts.sets.Inheritable, c.facts.sets.Ambient = 0xc0, 0xc0 },
		"more filters":           func(c *check) { c.facts.filters = 9 },
		"no_new_privs":           func(c *check) { c.NoNew = false },
		"filters of its own":     func(c *check) { c.Filtered = false },
		"a cgroup below":         func(c *check) { c.facts.cgroup += "/sub" },
		"a limit lowered":        func(c *check) { c.facts.limits["RLIMIT_NOFILE"] = 1 },
		"the user's groups":      func(c *check) { c.Setgroups, c.facts.setgroups, c.facts.groups = "deny", "deny", []uint32{27} },
		"a set-user-ID file":     func(c *check) { c.may1(); c.NoNew, c.facts.uids = false, others },
		"unshare(2)":             func(c *check) { c.Sets.Effective |= 1 << 21; c.facts.spaces["net"] = File{Inode: 5} },
		"no time namespaces":     func(c *check) { delete(c.facts.spaces, "time") },
	} {
		c := asPromised()
		change(&c)
		if c.compare(); c.report.Err() != nil {
			t.Errorf("%s: %v", what, c.report.Err())
		}
	}
}

var others = []uint32{100001, 100001, 100001, 100001}

// A kernel that does not count filters is told of, and not taken for one without.
func TestUncountedFilters(t *testing.T) {
	c := asPromised()
	c.facts.filters, c.ours.filters = -1, -1
	if c.compare(); c.report.Err() != nil || len(c.report.Unseen) != 1 {
		t.Errorf("report = %+v", c.report)
	}
}

// Of what a program has open, only what leads out of its container is strange.
func TestStrangeFiles(t *testing.T) {
	c := asPromised()
	c.facts.byID = map[int]*mountinfo.Info{7: {}}
	c.ours.byID = map[int]*mountinfo.Info{9: {}}
	c.ours.mounts = []*mountinfo.Info{{Major: 8, Minor: 1}}
	c.Files = []File{{0, 14, 33}}
	ours := map[File]bool{{0, 14, 33}: true, {0, 14, 34}: true}
	stat := func(kind uint16, mount uint64, minor uint32, inode uint64) *unix.Statx_t {
		return &unix.Statx_t{Mode: kind, Mnt_id: mount, Dev_minor: minor, Ino: inode}
	}
	for _, spaces := range []map[string]File{c.ours.spaces, c.facts.spaces} {
		for kind, space := range spaces {
			spaces[kind] = File{0, 4, space.Inode}
		}
	}
	c.ours.mounts = append(c.ours.mounts, &mountinfo.Info{Minor: 4}) // a namespace has a name
	ofHost := stat(unix.S_IFREG, 5, 1, 1)
	ofHost.Dev_major = 8
	null := stat(unix.S_IFCHR, 9, 6, 1)
	null.Rdev_major, null.Rdev_minor = 1, 3
	for what, d := range map[string]struct {
		st      *unix.Statx_t
		strange bool
	}{
		"a file of its own":           {stat(unix.S_IFREG, 7, 1, 1), false},
		"a directory of its own":      {stat(unix.S_IFDIR, 7, 1, 1), false},
		"the host's null":             {null, false},
		"a socket passed on":          {stat(unix.S_IFSOCK, 3, 14, 33), false},
		"a socket of its own":         {stat(unix.S_IFSOCK, 3, 14, 35), false},
		"a memory file of its own":    {stat(unix.S_IFREG, 4, 2, 35), false},
		"an event counter":            {stat(0, 4, 2, 35), false},
		"a namespace of its own":      {stat(unix.S_IFREG, 4, 4, 102), false},
		"a namespace that it shares":  {stat(unix.S_IFREG, 4, 4, 6), false},
		"the host's mount namespace":  {stat(unix.S_IFREG, 4, 4, 2), true},
		"a socket of ours":            {stat(unix.S_IFSOCK, 3, 14, 34), true},
		"a directory of nowhere":      {stat(unix.S_IFDIR, 5, 3, 1), true},
		"a device of the host":        {stat(unix.S_IFCHR, 9, 6, 2), true},
		"a disk":                      {stat(unix.S_IFBLK, 5, 6, 2), true},
		"a file by a mount of ours":   {stat(unix.S_IFREG, 9, 3, 1), true},
		"a file of a file system too": {ofHost, true},
	} {
		if why := c.strange(d.st, ours); (why != "") != d.strange {
			t.Errorf("%s: %q", what, why)
		}
	}
}

// A mount that covers another one counts, in whatever order the kernel shows them.
func TestCoveredMount(t *testing.T) {
	f := newFacts()
	must(t, f.takeMounts([]byte("5 3 0:2 / /a rw - tmpfs t rw\n4 1 0:1 / /a ro - tmpfs t rw\n1 0 0:3 / / rw - tmpfs t rw\n3 4 0:4 / /a rw - tmpfs t rw\n")))
	if at := f.at("/a"); at == nil || at.ID != 5 {
		t.Errorf("at /a is %+v", at)
	}
	if f.at("/b") != nil {
		t.Error("something is at /b")
	}
}

// A root that a program may change, and has, is not taken for a runtime that has not
// begun; one that it may not change is.
func TestChangedRoot(t *testing.T) {
	dir, err := unix.Open(t.TempDir(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer func() { _ = unix.Close(dir) }()
	for sets, want := range map[uint64]bool{0xeb: false, 1 << 18: true} {
		c := asPromised()
		c.root, c.Sets.Effective = dir, sets
		if moved, err := c.hasMoved(); err != nil || moved != want {
			t.Errorf("capabilities %x: %v, %v", sets, moved, err)
		}
	}
}

// What a program with CAP_SYS_ADMIN mounts is its own affair, and said.
func TestMountsOfTheProgram(t *testing.T) {
	c := asPromised()
	c.Sets.Effective = 1 << 21
	c.facts.mounts = []*mountinfo.Info{{ID: 9, Mountpoint: "/more"}}
	must(t, c.otherMounts())
	if c.report.Err() != nil || len(c.report.Unseen) != 1 {
		t.Errorf("report = %+v", c.report)
	}
}

// A tree brings what is mounted below it, with its flags; other mounts are of nobody.
func TestOtherMounts(t *testing.T) {
	c := asPromised()
	c.facts.byID = newFacts().byID
	must(t, c.facts.takeMounts([]byte(`1 0 0:1 / / rw - tmpfs t rw
2 1 0:2 / /tree rw,nosuid,nodev - ext4 e rw
3 2 0:3 / /tree/in rw,nosuid,nodev - ext4 e rw
4 3 0:4 / /tree/in/deep rw,nosuid - ext4 e rw
5 3 0:5 / /tree/in/slave rw,nosuid,nodev master:3 - ext4 e rw
6 1 0:6 / /file rw,nosuid,nodev - ext4 e rw
7 6 0:7 / /file/in rw,nosuid,nodev - ext4 e rw
8 1 0:8 / /proc/kcore rw - ext4 e rw
9 1 0:9 / /more rw - ext4 e rw
`)))
	c.Masked = []string{"/proc/kcore"}
	c.placed = map[int]Mount{
		2: {Target: "/tree", Tree: true, Private: true, Below: []string{"nosuid", "nodev"}},
		6: {Target: "/file"},
	}
	must(t, c.otherMounts())
	var found []string
	for _, d := range c.report.Differences() {
		found = append(found, d.What)
	}
	if want := []string{"mount /tree/in/deep below /tree", "mount /tree/in/slave below /tree", "mount /file/in", "mount /more"}; !slices.Equal(found, want) {
		t.Errorf("found %q", found)
	}
}
