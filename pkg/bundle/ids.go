package bundle

import (
	"math"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// An IDRange maps Size consecutive ids, as one line of uid_map does
// (user_namespaces(7)).
type IDRange struct {
	Container, Host, Size uint32
}

// An IDMap says which ids of the host a container's users and groups are.
type IDMap struct {
	UIDs, GIDs []IDRange
}

// SingleID maps 0 of the container and nothing else: to uid and gid. That is
// what a user may do without any privilege, when both are the user's own.
func SingleID(uid, gid int) IDMap {
	return IDMap{
		UIDs: []IDRange{{Host: uint32(uid), Size: 1}},
		GIDs: []IDRange{{Host: uint32(gid), Size: 1}},
	}
}

// Single reports whether m maps nothing but 0.
func (m IDMap) Single() bool { return onlyRoot(m.UIDs) && onlyRoot(m.GIDs) }

func onlyRoot(ranges []IDRange) bool {
	return len(ranges) == 1 && ranges[0].Container == 0 && ranges[0].Size == 1
}

// Root returns the ids of the host that 0:0 of the container is. ok is false
// for a map without.
func (m IDMap) Root() (uid, gid int, ok bool) {
	u, haveUID := toHost(m.UIDs, 0)
	g, haveGID := toHost(m.GIDs, 0)
	return int(u), int(g), haveUID && haveGID
}

// Equal reports whether m and o are the same, range by range.
func (m IDMap) Equal(o IDMap) bool {
	return slices.Equal(m.UIDs, o.UIDs) && slices.Equal(m.GIDs, o.GIDs)
}

// HostUID returns the host's id of the container's user. ok is false for one
// that is not mapped.
func (m IDMap) HostUID(container uint32) (host uint32, ok bool) { return toHost(m.UIDs, container) }

// HostGID is HostUID for a group.
func (m IDMap) HostGID(container uint32) (host uint32, ok bool) { return toHost(m.GIDs, container) }

// overflowID is what an id reads as that is not mapped in a user namespace
// (user_namespaces(7)); elsewhere it is the user nobody.
const overflowID = 65534

// toHost returns the id of the host for one of the container.
func toHost(ranges []IDRange, container uint32) (uint32, bool) {
	for _, r := range ranges {
		if container >= r.Container && container-r.Container < r.Size {
			return id(r.Host, container-r.Container)
		}
	}
	return 0, false
}

// toContainer returns the id in the container for one of the host.
func toContainer(ranges []IDRange, host uint32) (uint32, bool) {
	for _, r := range ranges {
		if host >= r.Host && host-r.Host < r.Size {
			return id(r.Container, host-r.Host)
		}
	}
	return 0, false
}

// id adds offset to first. A map that a package brought may leave the 32 bits;
// the last of them stands for no id.
func id(first, offset uint32) (uint32, bool) {
	sum := first + offset
	return sum, sum >= first && sum != math.MaxUint32
}

// Mappings is m as a runtime spec has it.
func (m IDMap) Mappings() (uids, gids []specs.LinuxIDMapping) {
	return idMappings(m.UIDs), idMappings(m.GIDs)
}

func idMappings(ranges []IDRange) []specs.LinuxIDMapping {
	mappings := make([]specs.LinuxIDMapping, len(ranges))
	for i, r := range ranges {
		mappings[i] = specs.LinuxIDMapping{ContainerID: r.Container, HostID: r.Host, Size: r.Size}
	}
	return mappings
}
