package bundle

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A host is what a spec depends on beside the plan and the package.
type host struct {
	hardLimit func(resource int) uint64
	isFile    func(path string) bool // false for what is absent: the runtime will say so
	etc       string                 // the directory of resolv.conf and hosts

	sysReadOnly bool // /sys is mounted read-only
}

func thisHost() host {
	var sys unix.Statfs_t
	readOnly := unix.Statfs("/sys", &sys) == nil && sys.Flags&unix.ST_RDONLY != 0
	return host{hardLimit: hardLimit, isFile: isFile, etc: "/etc", sysReadOnly: readOnly}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func hardLimit(resource int) uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(resource, &limit) != nil {
		return math.MaxUint64 // cannot happen to a resource of the table
	}
	return limit.Max
}

// offers reports whether the host has a file that is worth binding.
func (h host) offers(name string) bool {
	info, err := os.Stat(filepath.Join(h.etc, name))
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// lacking returns where a file has to be mounted to be found as path in the
// tree rootfs, if the tree has none there or an empty one. That is elsewhere
// when path is a symbolic link into a directory that is filled at boot, as
// /etc/resolv.conf often is: runtimes do not mount over a dangling link.
func lacking(rootfs, path string) (target string, ok bool) {
	root, err := os.Open(rootfs)
	if err != nil {
		return "", false
	}
	defer root.Close()
	if !absentOrEmpty(root, path) {
		return "", false
	}
	return followOnce(rootfs, path), true
}

// absentOrEmpty follows symbolic links as in the container, where the tree is
// "/": the tree cannot make us look at the host.
func absentOrEmpty(root *os.File, path string) bool {
	fd, err := unix.Openat2(int(root.Fd()), path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return errors.Is(err, unix.ENOENT)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == 0
}

func followOnce(rootfs, path string) string {
	root, err := os.OpenRoot(rootfs)
	if err != nil {
		return path
	}
	defer root.Close()
	link, err := root.Readlink(strings.TrimPrefix(path, "/"))
	if err != nil {
		return path
	}
	if !filepath.IsAbs(link) {
		link = filepath.Join(filepath.Dir(path), link)
	}
	return filepath.Clean(link)
}
