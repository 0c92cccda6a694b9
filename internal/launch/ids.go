package launch

import (
	"os"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// containerUser is the host uid and gid that container root has under a
// gatewayd of root: the "nonroot" of distroless images, never root.
const containerUser = 65532

// ids returns the host uid and gid that container root is mapped to.
func (h *Host) ids() (uid, gid int) { return rootIDs() }

func rootIDs() (uid, gid int) {
	if os.Geteuid() == 0 {
		return containerUser, containerUser
	}
	return os.Geteuid(), os.Getegid()
}

// RangeIDs are those of a container with ids = "range". The error is
// bundle.ErrNoRange where whoever runs gatewayd has no subordinate ids.
func RangeIDs() (bundle.IDMap, error) {
	uid, gid := rootIDs()
	return bundle.SubordinateIDs(os.Geteuid(), uid, gid)
}

// idMap returns the ids of a gateway's containers. That newuidmap really grants
// them is seen by whoever makes a namespace of them.
func (h *Host) idMap(g config.Gateway) (bundle.IDMap, error) {
	switch {
	case g.Isolation.Bare: // what root itself runs, nobody else may write
		return bundle.SingleID(os.Geteuid(), os.Getegid()), nil
	case g.Staging.IDs == "range":
		return RangeIDs()
	}
	return bundle.SingleID(rootIDs()), nil
}

// granted is an error where youki of root would not get the container's ids. It
// leaves a mapping of several ranges to newuidmap(1), which grants root what the
// files give it and nothing else, and youki does not look at what that says.
func (la *launch) granted(r *runtime.Runtime) error {
	if os.Geteuid() != 0 || la.ids.Single() || r.Name() != "youki" {
		return nil
	}
	return bundle.CheckGranted(0, containerUser, containerUser)
}

// removal is how a sweep removes trees of whose launches nothing is known: with
// the user's subordinate ids, if there are any.
func removal() bundle.RemoveOptions {
	if ids, err := RangeIDs(); err == nil {
		return bundle.RemoveOptions{IDs: ids, Helper: Helper}
	}
	return bundle.RemoveOptions{}
}
