package bundle

import (
	"context"
	"fmt"
	"os"
	"slices"
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
	inside, err := inNamespace[inside](ctx, helper, ids, "check", noOptions{})
	if err != nil {
		return fmt.Errorf("check ids: %w", err)
	}
	return inside.differs(ids)
}

// inside is what a helper sees of its namespace: nobody's word but the kernel's.
type inside struct {
	UID, GID   int
	UIDs, GIDs []IDRange // Host is an id of the namespace around it, as uid_map shows its own
}

// noOptions stands for none: gob wants a field.
type noOptions struct{ None bool }

func checkInside(context.Context, noOptions) (inside, error) {
	uids, err := readMap("/proc/self/uid_map")
	if err != nil {
		return inside{}, err
	}
	gids, err := readMap("/proc/self/gid_map")
	return inside{os.Geteuid(), os.Getegid(), uids, gids}, err
}

func (i inside) differs(ids IDMap) error {
	if i.UID != 0 || i.GID != 0 {
		return fmt.Errorf("check ids: %d:%d and not root in a namespace that maps %v", i.UID, i.GID, ids)
	}
	if !slices.Equal(sorted(i.UIDs), sorted(ids.UIDs)) || !slices.Equal(sorted(i.GIDs), sorted(ids.GIDs)) {
		return fmt.Errorf("check ids: mapped %v, %v and not %v", i.UIDs, i.GIDs, ids)
	}
	return nil
}
