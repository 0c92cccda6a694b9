package config

import (
	"errors"

	"github.com/pelletier/go-toml/v2/unstable"
)

// origin tells how a table came to be, which decides what may add to it.
type origin int

const (
	implied  origin = iota // on the way of a longer header: may get its own
	dotted                 // by a dotted key: more dotted keys may add to it
	byHeader               // by its own header: complete, but for sub-tables
)

// tree builds the nodes of a file. What TOML forbids to define again is
// reported and becomes a further node beside the first, so that all of its
// contents are still checked.
type tree struct {
	report  *report
	root    *node
	current *node // what key = value lines add to
	latest  map[place]*node
}

// place is where a name is looked up. One map for all tables: a map in each
// would make a file of a million nested tables cost gigabytes.
type place struct {
	table *node
	name  string
}

// part is one part of a dotted key.
type part struct {
	name string
	at   int
}

// parseTree returns the root of the file, or reports a fault of syntax.
func parseTree(r *report, data []byte) (root *node, ok bool) {
	root = &node{kind: unstable.Table, origin: byHeader}
	t := &tree{report: r, root: root, current: root, latest: map[place]*node{}}
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		t.expression(p.Expression())
	}
	if err := p.Error(); err != nil {
		r.syntax(syntaxFault(&p, err))
		return nil, false
	}
	return root, true
}

func syntaxFault(p *unstable.Parser, err error) (offset int, problem string) {
	var at *unstable.ParserError
	if errors.As(err, &at) {
		offset = int(p.Range(at.Highlight).Offset)
	}
	return offset, "syntax: " + printable(err.Error())
}

func (t *tree) expression(e *unstable.Node) {
	switch e.Kind {
	case unstable.Table:
		t.current = t.header(parts(e.Key()))
	case unstable.ArrayTable:
		t.current = t.arrayHeader(parts(e.Key()))
	default:
		t.assign(t.current, e)
	}
}

func parts(key unstable.Iterator) []part {
	var list []part
	for key.Next() {
		list = append(list, part{string(key.Node().Data), int(key.Node().Raw.Offset)})
	}
	return list
}

// header finds or makes the table of [key].
func (t *tree) header(key []part) *node {
	table, last := t.above(key)
	n := t.latest[place{table, last.name}]
	switch {
	case n == nil:
		n = t.add(table, last, unstable.Table)
	case n.kind == unstable.Table && n.origin == implied:
		n.keyAt, n.at = last.at, last.at
	default:
		n = t.again(n, table, last, unstable.Table)
	}
	n.origin = byHeader
	return n
}

// arrayHeader adds the table of [[key]].
func (t *tree) arrayHeader(key []part) *node {
	table, last := t.above(key)
	n := t.latest[place{table, last.name}]
	switch {
	case n == nil:
		n = t.add(table, last, unstable.ArrayTable)
	case n.kind != unstable.ArrayTable:
		n = t.again(n, table, last, unstable.ArrayTable)
	}
	element := &node{parent: n, index: len(n.children), kind: unstable.Table, origin: byHeader, keyAt: last.at, at: last.at}
	n.children = append(n.children, element)
	return element
}

// above walks to the table that holds the last part of a header.
func (t *tree) above(key []part) (*node, part) {
	table := t.root
	for _, p := range key[:len(key)-1] {
		n := t.latest[place{table, p.name}]
		switch {
		case n == nil:
			n = t.add(table, p, unstable.Table)
		case n.kind == unstable.ArrayTable:
			n = n.children[len(n.children)-1]
		case n.kind != unstable.Table:
			n = t.again(n, table, p, unstable.Table)
		}
		table = n
	}
	return table, key[len(key)-1]
}

// assign adds key = value, with a key that may be dotted, to table.
func (t *tree) assign(table *node, e *unstable.Node) {
	key := parts(e.Key())
	for _, p := range key[:len(key)-1] {
		n := t.latest[place{table, p.name}]
		switch {
		case n == nil:
			n = t.add(table, p, unstable.Table)
		case n.kind != unstable.Table || n.origin != dotted:
			n = t.again(n, table, p, unstable.Table)
		}
		n.origin = dotted
		table = n
	}
	last := key[len(key)-1]
	value := e.Value()
	n := t.latest[place{table, last.name}]
	if n == nil {
		n = t.add(table, last, value.Kind)
	} else {
		n = t.again(n, table, last, value.Kind)
	}
	t.fill(n, value)
}

// fill gives n its value. The parser tells no position of an array: its key, or
// the array around it, stands for it.
func (t *tree) fill(n *node, value *unstable.Node) {
	if value.Raw.Length > 0 {
		n.at = int(value.Raw.Offset)
	}
	children := value.Children()
	switch value.Kind {
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			element := &node{parent: n, index: i, kind: children.Node().Kind, keyAt: n.at, at: n.at}
			n.children = append(n.children, element)
			t.fill(element, children.Node())
			element.keyAt = element.at
		}
	case unstable.InlineTable:
		for children.Next() {
			t.assign(n, children.Node())
		}
	default:
		n.text = string(value.Data)
	}
}

func (t *tree) add(table *node, p part, kind unstable.Kind) *node {
	n := &node{name: p.name, parent: table, kind: kind, keyAt: p.at, at: p.at}
	table.children = append(table.children, n)
	t.latest[place{table, p.name}] = n
	return n
}

// again adds a node whose name TOML allows only once.
func (t *tree) again(first, table *node, p part, kind unstable.Kind) *node {
	line, _ := t.report.position(first.keyAt)
	n := t.add(table, p, kind)
	t.report.key(n, "defined already, as %s in line %d", kinds[first.kind], line)
	return n
}
