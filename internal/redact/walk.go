package redact

// walk is one way through the automaton. It begins with two bytes: that a value
// may begin with the last one is left to who reads them.
type walk struct {
	node int32   // 0: not under way
	at   []int64 // where in the text its bytes begin; those of node are the last ones
}

// span is a part of the text, from the beginning of a value to its end.
type span struct {
	from, to int64
	mark     []byte // what is shown of it
}

// enter begins with a pair that the automaton knows.
func (w *walk) enter(a *automaton, pair uint16, first, second int64) {
	w.node = a.child(a.root[fold[pair>>8]], fold[pair&0xff])
	w.at = append(w.at[:0], first, second)
}

// next goes on by a byte that begins at a place.
func (w *walk) next(a *automaton, b byte, at int64) {
	b = fold[b]
	if b == ' ' && a.nodes[w.node].label == ' ' {
		return // several blanks are one
	}
	w.node = a.step(w.node, b)
	depth := int(a.nodes[w.node].depth)
	if depth < 2 {
		w.reset()
		return
	}
	w.at = append(w.at, at)
	if len(w.at) > 2*depth+64 {
		w.at = append(w.at[:0], w.at[len(w.at)-depth:]...)
	}
}

// match adds the value that ends with the last byte, if one does. A shorter one
// that ends there too lies within it.
func (w *walk) match(a *automaton, end int64, found *[]span) {
	if n := &a.nodes[w.node]; n.ends > 0 {
		*found = append(*found, span{w.at[len(w.at)-int(n.ends)], end, a.marks[n.name]})
	}
}

// hold is where the value may begin that is under way, or end.
func (w *walk) hold(a *automaton, end int64) int64 {
	if w.node == 0 {
		return end
	}
	return min(end, w.at[len(w.at)-int(a.nodes[w.node].depth)])
}

// begun is shown in the place of a value of which the rest is missing.
var begun = []byte("***")

// cut adds the beginning of a value at the end of the text, if it is as long as the
// shortest value that is looked for: less is in any text.
func (w *walk) cut(a *automaton, end int64, found *[]span) {
	if n := &a.nodes[w.node]; n.depth >= Min && n.ends < n.depth {
		*found = append(*found, span{w.at[len(w.at)-int(n.depth)], end, begun})
	}
}

// clip has a value that has only just begun begin at a place, so that what is
// before it can be shown.
func (w *walk) clip(a *automaton, place int64) {
	if w.node == 0 || a.nodes[w.node].depth > 2 {
		return
	}
	for i := range w.at {
		w.at[i] = place
	}
}

func (w *walk) reset() { w.node, w.at = 0, w.at[:0] }

func (w *walk) copy(from *walk) { w.node, w.at = from.node, append(w.at[:0], from.at...) }
