package bundle

import "slices"

// Paths are a number of paths, of which few are named.
type Paths struct {
	Count int
	First []string // at most 8, sorted
}

// namedPaths is how many paths are worth a person's time.
const namedPaths = 8

// add takes path into p: it is counted, and named if it is among the first.
func (p *Paths) add(path string) { p.merge(Paths{Count: 1, First: []string{path}}) }

// merge takes all of o into p. The result does not depend on the order in which
// paths come, so neither does it on which worker found them.
func (p *Paths) merge(o Paths) {
	p.Count += o.Count
	for _, path := range o.First {
		at, _ := slices.BinarySearch(p.First, path)
		if at < namedPaths {
			p.First = slices.Insert(p.First, at, path)
		}
	}
	p.First = p.First[:min(len(p.First), namedPaths)]
}
