package launch

import (
	"context"
	"os"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// containerUser is the host uid and gid that container root has under a
// gatewayd of root: the "nonroot" of distroless images, never root.
const containerUser = 65532

// ids returns the host uid and gid that container root is mapped to.
func (h *Host) ids() (uid, gid int) {
	if os.Geteuid() == 0 {
		return containerUser, containerUser
	}
	return os.Geteuid(), os.Getegid()
}

// idMap returns the ids of a gateway's containers. That they can be had is
// proved once: runtimes do not all look whether newuidmap did what they asked of
// it, and go on in a namespace where nobody is anybody.
func (h *Host) idMap(ctx context.Context, g config.Gateway) (bundle.IDMap, error) {
	uid, gid := h.ids()
	if g.Isolation.Bare { // what root itself runs, nobody else may write
		return bundle.SingleID(os.Geteuid(), os.Getegid()), nil
	}
	if g.Staging.IDs != "range" {
		return bundle.SingleID(uid, gid), nil
	}
	ids, err := bundle.SubordinateIDs(os.Geteuid(), uid, gid)
	if err != nil {
		return ids, err
	}
	h.proving.Lock()
	defer h.proving.Unlock()
	if !h.proved.Equal(ids) {
		defer h.children.hold()()
		if err := bundle.CheckIDs(ctx, helper, ids); err != nil {
			return ids, err
		}
		h.proved = ids
	}
	return ids, nil
}

// removal is how a sweep removes trees of whose launches nothing is known: with
// the user's subordinate ids, if there are any.
func (h *Host) removal() bundle.RemoveOptions {
	uid, gid := h.ids()
	if ids, err := bundle.SubordinateIDs(os.Geteuid(), uid, gid); err == nil {
		return bundle.RemoveOptions{IDs: ids, Helper: helper}
	}
	return bundle.RemoveOptions{}
}
