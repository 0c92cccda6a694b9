package seccomp

import (
	"maps"
	"math"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// allowed covers all that the denial leaves, in cubes of which no two meet.
func (d Denial) allowed() []cube {
	if d.where == nil {
		return nil
	}
	left := []cube{{}}
	for _, denied := range d.where {
		var next []cube
		for _, c := range left {
			next = append(next, c.without(denied)...)
		}
		left = next
	}
	return left
}

// without covers what is in c and not in denied: for each bit of denied the part
// of c where the bits before are the same and this one is not.
func (c cube) without(denied cube) []cube {
	var parts []cube
	same := maps.Clone(c)
	for _, index := range slices.Sorted(maps.Keys(denied)) {
		for bit := uint64(1); bit != 0; bit <<= 1 {
			if denied[index].mask&bit == 0 {
				continue
			}
			equal := denied[index].value & bit
			if other, ok := same.and(index, bits{bit, equal ^ bit}); ok {
				parts = append(parts, other)
			}
			var ok bool
			if same, ok = same.and(index, bits{bit, equal}); !ok {
				return parts
			}
		}
	}
	return parts
}

// and is the part of c where an argument has the bits b, too; false: nothing is.
func (c cube) and(index uint, b bits) (cube, bool) {
	both := c[index].mask & b.mask
	if c[index].value&both != b.value&both {
		return c, false
	}
	part := maps.Clone(c)
	part[index] = bits{c[index].mask | b.mask, c[index].value | b.value}
	return part, true
}

// meet is the part of c where the conditions of a rule hold, too, as conditions;
// false: nothing is, or it cannot be said by one condition an argument.
func (c cube) meet(conditions []specs.LinuxSeccompArg) (met []specs.LinuxSeccompArg, ok bool) {
	for _, condition := range conditions {
		if _, shared := c[condition.Index]; !shared {
			met = append(met, condition)
			continue
		}
		b, comparable := bitsOf(condition)
		if !comparable {
			return nil, false
		}
		if c, ok = c.and(condition.Index, b); !ok {
			return nil, false
		}
	}
	for _, index := range slices.Sorted(maps.Keys(c)) {
		met = append(met, specs.LinuxSeccompArg{Index: index, Op: specs.OpMaskedEqual, Value: c[index].mask, ValueTwo: c[index].value})
	}
	return met, true
}

func bitsOf(condition specs.LinuxSeccompArg) (bits, bool) {
	switch condition.Op {
	case specs.OpEqualTo:
		return bits{math.MaxUint64, condition.Value}, true
	case specs.OpMaskedEqual:
		return bits{condition.Value, condition.ValueTwo & condition.Value}, true
	}
	return bits{}, false
}
