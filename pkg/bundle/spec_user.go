package bundle

import (
	"fmt"

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
