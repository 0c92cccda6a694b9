package redact

import "bytes"

// automaton finds every value in a sequence of bytes, whichever way they were
// come by. It is not changed once it is linked.
//
// A trie whose nodes have few children, mostly one: they are a list, and only
// the root has a table. A value of 64 KiB takes 2 MiB.
type automaton struct {
	nodes []node // the first is the root
	root  [256]int32
	pairs [1 << 16 / 64]uint64 // the two bytes by which a value can begin
	first [256]bool            // the one byte
	third [1 << 16 / 64]uint64 // the three bytes, by a hash
	names []string
	marks [][]byte // what is shown, by the index of a name
}

type node struct {
	label          byte // the last byte of the path to here
	depth          int32
	child, sibling int32 // 0: none
	fail           int32 // the longest other path that ends as the path to here does
	ends           int32 // length of the longest value that ends here; 0: none does
	name           int32 // its
}

// blanks are taken for one another, and several for one. "+" is with them since
// a URL has it for a blank.
const blanks = " \t\n\v\f\r"

// fold is what a byte is taken for.
var fold = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
	}
	for _, b := range []byte(blanks + "+") {
		table[b] = ' '
	}
	return table
}()

// normal is a value as it is looked for: without the blanks around it, which a
// file has at its end and what is read from it has not, and with no two beside
// each other. A "+" that it begins with is left away, and remains: else each end
// of a line could be its beginning.
func normal(value []byte) []byte {
	value = bytes.TrimLeft(bytes.Trim(value, blanks), blanks+"+")
	single := make([]byte, 0, len(value))
	for _, b := range value {
		if n := len(single); n == 0 || fold[b] != ' ' || fold[single[n-1]] != ' ' {
			single = append(single, b)
		}
	}
	return single
}

func newAutomaton() *automaton { return &automaton{nodes: make([]node, 1)} }

// name returns the index of a name.
func (a *automaton) name(name string) int32 {
	for i, known := range a.names {
		if known == name {
			return int32(i)
		}
	}
	a.names = append(a.names, name)
	return int32(len(a.names) - 1)
}

// insert adds a value that is normal. Of two names of the same the first counts.
func (a *automaton) insert(value []byte, name int32) {
	at := int32(0)
	for _, b := range value {
		next := a.child(at, fold[b])
		if next == 0 {
			next = a.grow(at, fold[b])
		}
		at = next
	}
	if n := &a.nodes[at]; n.ends == 0 {
		n.ends, n.name = n.depth, name
	}
	a.mark(value[0], value[1], value[2])
}

func (a *automaton) grow(parent int32, label byte) int32 {
	added := int32(len(a.nodes))
	n := node{label: label, depth: a.nodes[parent].depth + 1, sibling: a.nodes[parent].child}
	a.nodes[parent].child = added
	a.nodes = append(a.nodes, n)
	if parent == 0 {
		a.root[label] = added
	}
	return added
}

// mark notes a beginning. No value begins with a blank; a "+" of one is no blank
// in the second place, for the same reason as in the first.
func (a *automaton) mark(first, second, third byte) {
	a.first[first] = true
	for b := range fold {
		if b == int(second) || fold[second] == ' ' && second != '+' && fold[b] == ' ' {
			pair := uint16(first)<<8 | uint16(b)
			a.pairs[pair>>6] |= 1 << (pair & 63)
			h := hash(pair, third)
			a.third[h>>6] |= 1 << (h & 63)
		}
	}
}

func (a *automaton) begins(pair uint16) bool { return a.pairs[pair>>6]&(1<<(pair&63)) != 0 }

// goesOn tells whether a value may begin with a pair and a third byte. It is right
// when it says no.
func (a *automaton) goesOn(pair uint16, third byte) bool {
	h := hash(pair, third)
	return a.third[h>>6]&(1<<(h&63)) != 0 || fold[third] == ' '
}

func hash(pair uint16, third byte) uint16 {
	return uint16((uint32(pair)<<8 | uint32(third)) * 0x9e3779b1 >> 16)
}

// link sets where to go on when a path ends: breadth first, since that of a node
// is made of those above it.
func (a *automaton) link() {
	queue := make([]int32, 0, len(a.nodes))
	for queue = append(queue, 0); len(queue) > 0; queue = queue[1:] {
		parent := queue[0]
		for c := a.nodes[parent].child; c != 0; c = a.nodes[c].sibling {
			n := &a.nodes[c]
			if parent != 0 {
				n.fail = a.step(a.nodes[parent].fail, n.label)
			}
			if shorter := a.nodes[n.fail]; n.ends == 0 {
				n.ends, n.name = shorter.ends, shorter.name
			}
			queue = append(queue, c)
		}
	}
}

// choose makes what is shown in the place of values. It must not hold one: a
// secret may be called what it is.
func (a *automaton) choose() {
	a.marks = make([][]byte, len(a.names))
	for i, name := range a.names {
		mark := []byte("***")
		for _, words := range []string{"[redacted " + name + "]", "[redacted]"} {
			if len(search(a, []byte(words))) == 0 {
				mark = []byte(words)
				break
			}
		}
		a.marks[i] = mark
	}
}

func (a *automaton) child(of int32, label byte) int32 {
	if of == 0 {
		return a.root[label]
	}
	c := a.nodes[of].child
	for c != 0 && a.nodes[c].label != label {
		c = a.nodes[c].sibling
	}
	return c
}

// step goes from a node by a byte that is folded.
func (a *automaton) step(from int32, b byte) int32 {
	for {
		if next := a.child(from, b); next != 0 || from == 0 {
			return next
		}
		from = a.nodes[from].fail
	}
}
