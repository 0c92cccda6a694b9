package config

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// report gathers the faults of one file.
type report struct {
	file   string
	lines  []int    // offset of each line's first byte
	paths  []string // all keys of the schema, for hints at a key in a wrong table
	faults Faults
}

func newReport(file string, data []byte) *report {
	r := &report{file: file, lines: []int{0}, paths: fileKeys.paths()}
	for offset, c := range data {
		if c == '\n' {
			r.lines = append(r.lines, offset+1)
		}
	}
	return r
}

// position tells line and column of an offset. It searches the table of lines:
// a file of nothing but faults would otherwise be counted through for each.
func (r *report) position(offset int) (line, column int) {
	line = sort.SearchInts(r.lines, offset+1)
	return line, offset - r.lines[line-1] + 1
}

// value reports that the value of n is wrong.
func (r *report) value(n *node, problem string, args ...any) {
	r.add(n, n.at, "", fmt.Sprintf(problem, args...))
}

// key reports that the key of n is wrong.
func (r *report) key(n *node, problem string, args ...any) {
	r.add(n, n.keyAt, "", fmt.Sprintf(problem, args...))
}

func (r *report) add(n *node, offset int, suggestion, problem string) {
	n.faulty = true
	line, column := r.position(offset)
	r.faults = append(r.faults, Fault{r.file, line, column, n.key(), problem, suggestion})
}

// syntax forgets all other faults: behind the first fault of syntax nothing is
// known to mean what it seems to.
func (r *report) syntax(offset int, problem string) {
	line, column := r.position(offset)
	r.faults = Faults{{File: r.file, Line: line, Column: column, Problem: problem}}
}

// unknown reports a key that its table, which takes the keys names, has not got.
func (r *report) unknown(n *node, names []string) {
	if near := nearest(n.name, names); near != "" {
		r.add(n, n.keyAt, near, "unknown key")
		return
	}
	if places := r.elsewhere(n); places != "" {
		r.add(n, n.keyAt, places, "unknown key")
		return
	}
	r.key(n, "unknown key; valid here: %s", strings.Join(names, ", "))
}

// elsewhere tells which tables have a key of the name of n: the common mistake
// is a right key below a wrong header.
func (r *report) elsewhere(n *node) string {
	var places []string
	for _, path := range r.paths {
		if strings.HasSuffix(path, "."+n.name) || path == n.name {
			places = append(places, path)
		}
	}
	return strings.Join(places, " or ")
}

// sorted returns the faults in the order of the file.
func (r *report) sorted() Faults {
	slices.SortStableFunc(r.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return r.faults
}
