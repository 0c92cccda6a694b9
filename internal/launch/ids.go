package launch

import (
	"fmt"
	"os"

	subid "github.com/moby/sys/user"

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
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		entries, err := subid.ParseSubIDFileFilter(file, func(e subid.SubID) bool {
			return (e.Name == "root" || e.Name == "0") && e.SubID <= containerUser && containerUser-e.SubID < e.Count
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if len(entries) == 0 {
			return fmt.Errorf("%w: %s does not give root the id %d of container root, without which youki gets none: add the line root:%[3]d:1",
				bundle.ErrNoRange, file, containerUser)
		}
	}
	return nil
}

// removal is how a sweep removes trees of whose launches nothing is known: with
// the user's subordinate ids, if there are any.
func (h *Host) removal() bundle.RemoveOptions {
	if ids, err := RangeIDs(); err == nil {
		return bundle.RemoveOptions{IDs: ids, Helper: Helper}
	}
	return bundle.RemoveOptions{}
}
