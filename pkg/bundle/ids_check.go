package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// CheckIDs proves that ids can be had: it starts the helper (see
// CopyOptions.Helper) in a user namespace with that mapping and looks at it from
// inside. Runtimes are known that take no notice when newuidmap refuses, and
// start a container that has none of its ids. A single id needs no proof: for
// that CheckIDs does nothing.
//
// The error is ErrNoRange where the user has no right to ids, and says what to
// do about it.
func CheckIDs(ctx context.Context, helper []string, ids IDMap) error {
	if ids.Single() {
		return nil
	}
	have, err := inNamespace[inside](ctx, helper, ids, "check", noOptions{})
	if err == nil {
		err = have.differs(ids)
	}
	if err != nil {
		return fmt.Errorf("check ids: %w", err)
	}
	return nil
}

// inside is what a helper sees of its namespace: nobody's word but the kernel's.
type inside struct {
	UID, GID   int
	UIDs, GIDs []IDRange // Host is an id of the namespace around it, as uid_map shows its own
}

// noOptions stands for none: gob wants a field.
type noOptions struct{ None bool }

func checkInside(context.Context, noOptions) (inside, error) {
	uids, uidErr := readMap("/proc/self/uid_map")
	gids, gidErr := readMap("/proc/self/gid_map")
	have := inside{os.Geteuid(), os.Getegid(), uids, gids}
	if err := errors.Join(uidErr, gidErr); err != nil {
		return have, err
	}
	return have, ownAs(lastOf(uids), lastOf(gids))
}

func lastOf(ranges []IDRange) uint32 {
	if len(ranges) == 0 {
		return 0
	}
	last := ranges[len(ranges)-1]
	return last.Container + last.Size - 1
}

// ownAs proves that root in here may give a file away: a security module can
// deny capabilities to a namespace that it let somebody make.
func ownAs(uid, gid uint32) error {
	fd, err := unix.MemfdCreate("check", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	defer unix.Close(fd)
	if err := unix.Fchown(fd, int(uid), int(gid)); err != nil {
		return fmt.Errorf("own a file as %d:%d: %w%s", uid, gid, err, sysctlAdvice())
	}
	return nil
}

func (i inside) differs(ids IDMap) error {
	if i.UID != 0 || i.GID != 0 {
		return fmt.Errorf("%w: %d:%d and not root in a namespace that maps %v", ErrNoRange, i.UID, i.GID, ids)
	}
	if !slices.Equal(sorted(i.UIDs), sorted(ids.UIDs)) || !slices.Equal(sorted(i.GIDs), sorted(ids.GIDs)) {
		return fmt.Errorf("%w: mapped %v, %v and not %v", ErrNoRange, i.UIDs, i.GIDs, ids)
	}
	return nil
}
