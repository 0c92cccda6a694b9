package posture

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Range is a line of uid_map (user_namespaces(7)).
type Range struct {
	Container uint32 `json:"container"`
	Host      uint32 `json:"host"`
	Size      uint32 `json:"size"`
}

func (r Range) String() string { return fmt.Sprintf("%d→%d+%d", r.Container, r.Host, r.Size) }

func ranges(mappings []specs.LinuxIDMapping) []Range {
	list := make([]Range, len(mappings))
	for i, m := range mappings {
		list[i] = Range{m.ContainerID, m.HostID, m.Size}
	}
	return joined(list)
}

func parseRanges(data []byte) ([]Range, error) {
	var list []Range
	for line := range strings.Lines(string(data)) {
		var numbers [3]uint32
		fields := strings.Fields(line)
		if len(fields) != len(numbers) {
			return nil, errors.New("malformed map of ids")
		}
		for i, field := range fields {
			n, err := strconv.ParseUint(field, 10, 32)
			if err != nil {
				return nil, errors.New("malformed map of ids")
			}
			numbers[i] = uint32(n)
		}
		list = append(list, Range{numbers[0], numbers[1], numbers[2]})
	}
	return joined(list), nil
}

// joined is the one way to write a map: whoever made it may have cut a range in two,
// or sorted them.
func joined(list []Range) []Range {
	slices.SortFunc(list, func(a, b Range) int { return cmp.Compare(a.Container, b.Container) })
	var all []Range
	for _, r := range list {
		if last := len(all) - 1; last >= 0 && follows(all[last], r) {
			all[last].Size += r.Size
			continue
		}
		all = append(all, r)
	}
	return all
}

func follows(a, b Range) bool {
	size := uint64(a.Size)
	return uint64(a.Container)+size == uint64(b.Container) && uint64(a.Host)+size == uint64(b.Host) && size+uint64(b.Size) <= 1<<32-1
}

func toHost(list []Range, id uint32) (uint32, bool) {
	for _, r := range list {
		if id >= r.Container && id-r.Container < r.Size {
			return r.Host + (id - r.Container), true
		}
	}
	return 0, false
}

// hasHost says whether id of the host is one of the container's.
func hasHost(list []Range, id uint32) bool {
	return slices.ContainsFunc(list, func(r Range) bool { return id >= r.Host && id-r.Host < r.Size })
}
