package launch

import (
	"context"
	"fmt"
)

// Freezes says whether launches can be stopped where they are, and let go on: a
// warm standby is. It takes a cgroup of version 2.
func (h *Host) Freezes() bool { return h.Cgroup != nil }

// freeze stops every process of the launch where it is, or lets it go on.
func (la *launch) freeze(ctx context.Context, frozen bool) error {
	switch {
	case la.leaf != nil:
		la.frozen = frozen // also when it fails: some of them may be
		return la.leaf.Freeze(ctx, frozen)
	case frozen:
		return fmt.Errorf("freeze launch %s: it has no cgroup of version 2", la.id)
	}
	return nil
}

// thaw lets a frozen program go on, which is all that a signal may want of it:
// one that is frozen gets none but SIGKILL.
func (la *launch) thaw(ctx context.Context) error {
	if !la.frozen {
		return nil
	}
	return la.freeze(ctx, false)
}
