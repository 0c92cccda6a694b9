package bundle

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// attributes are what an entry has in the end.
type attributes struct {
	mode     uint32
	uid, gid uint32 // for chown(2); keepID: as it was made
	give     bool   // and then it is given to inside, see gift
	inside   ids
	times    [2]unix.Timespec // of access, of modification
}

// sameAs are the attributes of st, but for the owner.
func sameAs(st *unix.Stat_t) attributes {
	return attributes{mode: st.Mode & 0o7777, uid: keepID, gid: keepID, times: [2]unix.Timespec{st.Atim, st.Mtim}}
}

func (t *tree) attributesOf(st *unix.Stat_t) (attributes, error) {
	a := sameAs(st)
	if st.Mode&unix.S_IFMT == unix.S_IFREG && !t.KeepSetuid {
		a.mode &^= unix.S_ISUID
	}
	return a, t.owners.own(&a, ids{st.Uid, st.Gid})
}

func (a *attributes) chowns(made *unix.Stat_t) bool {
	return a.uid != keepID && a.uid != made.Uid || a.gid != keepID && a.gid != made.Gid
}

// settle gives a finished copy its owner, mode and times, as far as it has not
// got them: for most of a tree open(2) was right, unless an umask, a default ACL
// or the group of a set-group-ID directory came in. The order matters: chown
// clears set-ID bits, and every change but the last one is a change of times.
func settle(fd int, a *attributes) error {
	var made unix.Stat_t
	if err := unix.Fstat(fd, &made); err != nil {
		return err
	}
	chown := a.chowns(&made)
	if chown {
		if err := unix.Fchown(fd, int(int32(a.uid)), int(int32(a.gid))); err != nil {
			return err
		}
	}
	if chown || made.Mode&0o7777 != a.mode {
		if err := unix.Fchmod(fd, a.mode); err != nil {
			return err
		}
	}
	err := unix.UtimesNanoAt(fd, "", a.times[:], unix.AT_EMPTY_PATH)
	step.Done("entry-settled")
	return err
}

// changed reports whether what is open has not the time any more that it had.
func changed(fd int, a *attributes) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) != nil || st.Mtim != a.times[1]
}

func changedFile(fd int, before *unix.Stat_t) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) != nil || st.Mtim != before.Mtim || st.Size != before.Size
}

// copyXattrs copies the attributes in the user namespace. The others are left
// behind on purpose: security.capability would be a way to capabilities that no
// container has, trusted.* and system.* are the host's.
func copyXattrs(to, from int) error {
	names, err := readAll(func(buf []byte) (int, error) { return unix.Flistxattr(from, buf) })
	if err != nil || len(names) == 0 {
		return ignoreUnsupported(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if !strings.HasPrefix(name, "user.") {
			continue
		}
		value, err := readAll(func(buf []byte) (int, error) { return unix.Fgetxattr(from, name, buf) })
		if err == nil {
			err = unix.Fsetxattr(to, name, value, 0)
		}
		if err != nil {
			return &os.SyscallError{Syscall: "xattr " + name, Err: err}
		}
	}
	return nil
}

// readAll calls an xattr call for the size, then for the value, again while the
// value grows in between.
func readAll(call func([]byte) (int, error)) ([]byte, error) {
	for {
		size, err := call(nil)
		if err != nil || size == 0 {
			return nil, err
		}
		buf := make([]byte, size)
		n, err := call(buf)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		return buf[:max(n, 0)], err
	}
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
