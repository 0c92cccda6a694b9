package bundle

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// user is the packaged one where the container has several ids, all of which it
// has to know. With a single id only the umask is left of it: the program is
// 0:0, since youki and runc become 0 in the new namespace before anything else,
// so it has to be that id which is mapped. Without capabilities 0 is an id like
// any other.
func (p Plan) user(packaged specs.User) (specs.User, error) {
	user := specs.User{Umask: packaged.Umask}
	if user.Umask != nil && *user.Umask > 0o777 {
		return user, refused("process.user.umask", "more than 0777")
	}
	if p.IDs.Single() {
		if len(packaged.AdditionalGids) > 0 {
			return user, refused("process.user.additionalGids", "only one group id is mapped")
		}
		return user, nil
	}
	user.UID, user.GID, user.AdditionalGids = packaged.UID, packaged.GID, packaged.AdditionalGids
	return user, p.checkUser(user)
}

func (p Plan) checkUser(u specs.User) error {
	if _, ok := toHost(p.IDs.UIDs, u.UID); !ok {
		return refused("process.user.uid", notMapped(u.UID))
	}
	if _, ok := toHost(p.IDs.GIDs, u.GID); !ok {
		return refused("process.user.gid", notMapped(u.GID))
	}
	for i, gid := range u.AdditionalGids {
		if _, ok := toHost(p.IDs.GIDs, gid); !ok {
			return refused(fmt.Sprintf("process.user.additionalGids[%d]", i), notMapped(gid))
		}
	}
	return nil
}

// becomeAnother are the capabilities that a server needs to prepare its files as
// root, become its own user, and end its workers. They hold in the container's
// user namespace, so over its own ids only, and are gone once it has changed.
var becomeAnother = []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"}

// capabilities are none but for the root of a container with other users. They
// are always present: left out, runtimes drop nothing at all.
func (p Plan) capabilities(user specs.User) *specs.LinuxCapabilities {
	if p.IDs.Single() || user.UID != 0 {
		return &specs.LinuxCapabilities{}
	}
	all := slices.Clone(becomeAnother)
	return &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all}
}
