package config

// schema is the table of the keys of one TOML table, which fills a T.
type schema[T any] []entry[T]

// entry is one key: what it takes is in fill.
type entry[T any] struct {
	name  string
	below []string // keys of the table or tables that the key takes, dotted
	fill  func(r *report, n *node, into *T)
}

// checker returns the value of a node, or reports why it has none.
type checker[V any] func(r *report, n *node) (value V, ok bool)

// key is an entry whose value a checker yields. What is at fault leaves the
// default in its field.
func key[T, V any](name string, check checker[V], field func(*T) *V) entry[T] {
	return entry[T]{name: name, fill: func(r *report, n *node, into *T) {
		if value, ok := check(r, n); ok {
			*field(into) = value
		}
	}}
}

// table is an entry that holds a table with keys of its own.
func table[T, V any](name string, keys schema[V], field func(*T) *V) entry[T] {
	return entry[T]{name: name, below: keys.paths(), fill: func(r *report, n *node, into *T) {
		keys.fill(r, n, field(into))
	}}
}

// fill walks the table n. It goes on after each fault.
func (s schema[T]) fill(r *report, n *node, into *T) bool {
	if !n.isTable() {
		r.value(n, "want a table, got %s", kinds[n.kind])
		return false
	}
	for _, child := range n.children {
		if e := s.find(child.name); e != nil {
			e.fill(r, child, into)
		} else {
			r.unknown(child, s.names())
		}
	}
	return true
}

func (s schema[T]) find(name string) *entry[T] {
	for i := range s {
		if s[i].name == name {
			return &s[i]
		}
	}
	return nil
}

func (s schema[T]) names() []string {
	names := make([]string, len(s))
	for i, e := range s {
		names[i] = e.name
	}
	return names
}

// paths lists all keys of s that hold values, dotted. Tables are not listed
// themselves; where a name is free, NAME stands for it.
func (s schema[T]) paths() []string {
	var paths []string
	for _, e := range s {
		if e.below == nil {
			paths = append(paths, e.name)
		}
		for _, below := range e.below {
			paths = append(paths, e.name+"."+below)
		}
	}
	return paths
}
