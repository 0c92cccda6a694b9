package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// node is one value of a file: a table, an array or a scalar. A name that is
// defined twice is two nodes; the second one is a fault, and both are checked.
type node struct {
	name   string // last part of the key; empty for the root and for elements
	index  int    // of an element in its array
	parent *node
	kind   unstable.Kind
	origin origin // of a table

	keyAt int // offset of the key; of an element: as at
	at    int // offset of the value; of what has none of its own: of its key

	text     string  // of a scalar: a string's contents, else as it is written
	children []*node // members of a table, elements of an array, as in the file

	faulty bool // a fault was reported of this key or value
}

func (n *node) isTable() bool { return n.kind == unstable.Table || n.kind == unstable.InlineTable }
func (n *node) isArray() bool { return n.kind == unstable.Array || n.kind == unstable.ArrayTable }

// find returns what the dotted key names below n, or nil. Of a name that is
// defined twice it is the last.
func (n *node) find(key string) *node {
	for name := range strings.SplitSeq(key, ".") {
		if n == nil {
			return nil
		}
		i := len(n.children) - 1
		for ; i >= 0 && n.children[i].name != name; i-- {
		}
		if i < 0 {
			return nil
		}
		n = n.children[i]
	}
	return n
}

// anyFaulty tells whether a fault was reported of n or of anything in it.
func (n *node) anyFaulty() bool {
	return n != nil && (n.faulty || slices.ContainsFunc(n.children, (*node).anyFaulty))
}

// kinds says in words what a value is.
var kinds = map[unstable.Kind]string{
	unstable.String:        "a string",
	unstable.Integer:       "an integer",
	unstable.Float:         "a float",
	unstable.Bool:          "a boolean",
	unstable.DateTime:      "a date",
	unstable.LocalDateTime: "a date",
	unstable.LocalDate:     "a date",
	unstable.LocalTime:     "a time of day",
	unstable.Array:         "an array",
	unstable.ArrayTable:    "an array of tables",
	unstable.Table:         "a table",
	unstable.InlineTable:   "a table",
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// deepest bounds the parts of a key in a fault. The schema needs seven; a hostile
// file can nest a table for every other byte.
const deepest = 10

// key returns the dotted key of n, with the index of each element on the way.
func (n *node) key() string {
	var parts []string
	for ; n.parent != nil; n = n.parent {
		if len(parts) == deepest {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, n.part())
	}
	slices.Reverse(parts)
	return strings.TrimPrefix(strings.Join(parts, ""), ".")
}

func (n *node) part() string {
	switch {
	case n.parent.isArray():
		return "[" + strconv.Itoa(n.index) + "]"
	case bareKey.MatchString(n.name) && len(n.name) <= quoteLimit:
		return "." + n.name
	default:
		return "." + quote(n.name)
	}
}
