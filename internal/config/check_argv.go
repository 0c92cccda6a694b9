package config

import "strings"

// argv takes a program and its arguments. The program is an absolute path, or
// a name without a slash that is looked up in a PATH.
func argv(r *report, n *node) ([]string, bool) {
	list, ok := texts(r, n)
	switch {
	case !ok:
		return nil, false
	case len(list) == 0:
		r.value(n, "is empty: want a program and its arguments")
		return nil, false
	case list[0] == "" || strings.Contains(list[0], "/"):
		_, ok := absolute(r, n.children[0])
		return list, ok
	}
	return list, true
}
