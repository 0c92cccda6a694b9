package bundle

import (
	"errors"
	"fmt"
	"math"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// IDs returns the id mappings of the packaged config.json: by those the owners
// in a tree with ids of its own were written (CopyOptions.SourceIDs). It is zero
// for a package without. Mappings that no kernel would take are ErrRefused,
// with the place in the JSON.
func (p *Packaged) IDs() (IDMap, error) {
	ids, err := packagedIDs(p.Spec.Linux)
	if err != nil {
		return IDMap{}, fmt.Errorf("config.json: %w", err)
	}
	return ids, nil
}

func packagedIDs(l *specs.Linux) (ids IDMap, err error) {
	if l == nil {
		return IDMap{}, nil
	}
	if ids.UIDs, err = packagedRanges("linux.uidMappings", l.UIDMappings); err != nil {
		return IDMap{}, err
	}
	if ids.GIDs, err = packagedRanges("linux.gidMappings", l.GIDMappings); err != nil {
		return IDMap{}, err
	}
	return ids, nil
}

func packagedRanges(place string, mappings []specs.LinuxIDMapping) ([]IDRange, error) {
	var ranges []IDRange
	for _, m := range mappings {
		ranges = append(ranges, IDRange{Container: m.ContainerID, Host: m.HostID, Size: m.Size})
	}
	if i, err := checkRanges(ranges); err != nil {
		return nil, refused(fmt.Sprintf("%s[%d]", place, i), err.Error())
	}
	return ranges, nil
}

// maxRanges is UID_GID_MAP_MAX_EXTENTS of the kernel.
const maxRanges = 340

// checkRanges finds the first range that user_namespaces(7) has no room for.
func checkRanges(ranges []IDRange) (index int, err error) {
	for i, r := range ranges {
		switch {
		case i == maxRanges:
			return i, fmt.Errorf("more than %d ranges", maxRanges)
		case r.Size == 0:
			return i, errors.New("an empty range")
		case r.Container > math.MaxUint32-r.Size || r.Host > math.MaxUint32-r.Size:
			return i, errors.New("beyond the largest id")
		}
		for _, earlier := range ranges[:i] {
			if overlap(r.Container, earlier.Container, r.Size, earlier.Size) || overlap(r.Host, earlier.Host, r.Size, earlier.Size) {
				return i, errors.New("overlaps another range")
			}
		}
	}
	return 0, nil
}

func overlap(a, b, sizeA, sizeB uint32) bool {
	return a < b+sizeB && b < a+sizeA
}

// checkIDs: a plan's mappings are the caller's, and never reach host root: not
// as 0 of the container, nor as any other id.
func checkIDs(ids IDMap) error {
	if uid, gid, ok := ids.Root(); !ok || uid <= 0 || gid <= 0 {
		return fmt.Errorf("map 0:0 to %d:%d: a container is never root on the host", uid, gid)
	}
	for _, ranges := range [][]IDRange{ids.UIDs, ids.GIDs} {
		if _, err := checkRanges(ranges); err != nil {
			return fmt.Errorf("map ids %v: %w", ranges, err)
		}
		if id, ok := toContainer(ranges, 0); ok {
			return fmt.Errorf("map %d to 0: a container is never root on the host", id)
		}
	}
	return nil
}

// mappings are the plan's. A package with mappings of its own gets other ids of
// the host, but has to get all that it knows in the container; what has only
// one id never had them, and is as it is.
func (p Plan) mappings(packaged *specs.Linux) (uids, gids []specs.LinuxIDMapping, err error) {
	if !p.IDs.Single() {
		asked, err := packagedIDs(packaged)
		if err != nil {
			return nil, nil, err
		}
		if err := mapAll("linux.uidMappings", p.IDs.UIDs, asked.UIDs); err != nil {
			return nil, nil, err
		}
		if err := mapAll("linux.gidMappings", p.IDs.GIDs, asked.GIDs); err != nil {
			return nil, nil, err
		}
	}
	if p.InNamespace {
		return nil, nil, nil
	}
	return idMappings(p.IDs.UIDs), idMappings(p.IDs.GIDs), nil
}

// mapAll refuses the first range that has an id which ranges do not map.
func mapAll(place string, ranges, asked []IDRange) error {
	for i, a := range asked {
		if id, ok := firstUnmapped(ranges, a); ok {
			return refused(fmt.Sprintf("%s[%d]", place, i), notMapped(id))
		}
	}
	return nil
}

// firstUnmapped goes from range to range, never from id to id: there may be
// four billion.
func firstUnmapped(ranges []IDRange, asked IDRange) (uint32, bool) {
	end := asked.Container + asked.Size
	for id := asked.Container; id < end; {
		next := id
		for _, r := range ranges {
			if id >= r.Container && id-r.Container < r.Size {
				next = r.Container + r.Size
			}
		}
		if next == id {
			return id, true
		}
		id = next
	}
	return 0, false
}

func notMapped(id uint32) string {
	return fmt.Sprintf("%d is not among the ids of the container", id)
}
