package posture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// files are what it has open: of what is outside of its mounts, only what it was
// given. A descriptor of the host's tree is a way out of the container
// (CVE-2024-21626), and one that we have as well is another gateway's, or ours.
func (c *check) files() error {
	open, err := c.process.open()
	if err != nil {
		c.unseen("open files", err)
		return nil
	}
	ours, err := shared()
	if err != nil {
		return err
	}
	strangers := 0
	for _, d := range open {
		if why := c.strange(d.st, ours); why != "" {
			strangers++
			c.want(fmt.Sprintf("open file %d", d.fd), false, "none of the host's", why+" "+c.process.link("fd/"+strconv.Itoa(d.fd)))
		}
	}
	if strangers == 0 {
		c.want("open files", true, fmt.Sprintf("its own and %d passed on", len(c.Files)), "no others")
	}
	return nil
}

// strange says what is wrong with an open file; empty: nothing.
func (c *check) strange(st *unix.Statx_t, ours map[File]bool) string {
	id := identity(st)
	switch kind := st.Mode & unix.S_IFMT; {
	case c.isNamespace(id):
		if c.isForeign(id) {
			return "a namespace of the host's:"
		}
		return ""
	case c.facts.byID[int(st.Mnt_id)] != nil, isNull(st), slices.Contains(c.Files, id):
		return ""
	case ours[id]:
		return "gatewayd has it as well:"
	case kind == unix.S_IFDIR, kind == unix.S_IFBLK, kind == unix.S_IFCHR, kind == unix.S_IFLNK, c.isOfHost(st):
		return "outside of its mounts:"
	}
	return "" // what the kernel makes for who asks for it: a socket, a pipe, a memory file
}

// isNamespace says whether a file is that of a namespace: these have a file system of
// their own, which is mounted on the host where one of them has a name (ip-netns(8)).
func (c *check) isNamespace(id File) bool {
	space := c.facts.spaces["mnt"]
	return id.Major == space.Major && id.Minor == space.Minor
}

// isForeign says whether it is one of ours that the container is not to share.
func (c *check) isForeign(id File) bool {
	for kind, own := range c.ours.spaces {
		if id == own && c.facts.spaces[kind] != own {
			return true
		}
	}
	return false
}

// isOfHost says whether a file was opened by way of a mount of ours, or lies on a file
// system of one: a runtime may have had mounts of its own on its way.
func (c *check) isOfHost(st *unix.Statx_t) bool {
	return c.ours.byID[int(st.Mnt_id)] != nil || slices.ContainsFunc(c.ours.mounts, func(m *mountinfo.Info) bool {
		return uint32(m.Major) == st.Dev_major && uint32(m.Minor) == st.Dev_minor
	})
}

type descriptor struct {
	fd int
	st *unix.Statx_t
}

// open lists the open files of a process.
func (p process) open() (list []descriptor, err error) {
	entries, err := os.ReadDir(p.path("fd"))
	if errors.Is(err, fs.ErrPermission) {
		return p.copied()
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			return nil, err
		}
		st, err := statAt(unix.AT_FDCWD, p.path("fd/"+entry.Name()), 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue // closed meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, descriptor{fd, st})
	}
	return list, nil
}

// copied is open for a process of another id, whose directory of descriptors is
// closed to us by its mode, though what is in there is not: the owner of a user
// namespace may do all to what is in it.
func (p process) copied() (list []descriptor, err error) {
	data, err := p.read("status")
	if err != nil {
		return nil, err
	}
	status, err := parseStatus(data)
	if err != nil {
		return nil, err
	}
	pidfd, err := unix.PidfdOpen(int(p), 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	defer func() { _ = unix.Close(pidfd) }()
	for fd := range status.slots {
		st, err := statOf(pidfd, fd)
		if errors.Is(err, unix.EBADF) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, descriptor{fd, st})
	}
	return list, nil
}

func statOf(pidfd, fd int) (*unix.Statx_t, error) {
	copied, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_getfd", err)
	}
	defer func() { _ = unix.Close(copied) }()
	return statAt(copied, "", unix.AT_EMPTY_PATH)
}

// shared are our open files that nobody else can open: sockets, pipes and memory
// files.
func shared() (map[File]bool, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	list := map[File]bool{}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			return nil, err
		}
		st, err := statAt(fd, "", unix.AT_EMPTY_PATH)
		if err != nil {
			continue // closed meanwhile
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFSOCK, unix.S_IFIFO:
			list[identity(st)] = true
		case unix.S_IFREG:
			if st.Nlink == 0 {
				list[identity(st)] = true
			}
		}
	}
	return list, nil
}
