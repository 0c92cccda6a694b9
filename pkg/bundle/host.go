package bundle

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// A host is what a spec depends on beside the plan and the package.
type host struct {
	hardLimit func(resource int) uint64
	etc       string // the directory of resolv.conf and hosts
}

func thisHost() host { return host{hardLimit: hardLimit, etc: "/etc"} }

func hardLimit(resource int) uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(resource, &limit) != nil {
		return math.MaxUint64 // cannot happen to a resource of the table
	}
	return limit.Max
}

// offers reports whether the host has a file that is worth binding.
func (h host) offers(name string) bool {
	info, err := os.Stat(h.etc + "/" + name)
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// treeLacks reports whether the file path of the tree rootfs is absent or
// empty. Symbolic links are followed as in the container, where the tree is
// "/", so that the tree cannot make us look at the host.
func treeLacks(rootfs, path string) bool {
	root, err := os.Open(rootfs)
	if err != nil {
		return false
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return err == unix.ENOENT
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == 0
}
