package config

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxPath is the longest path that the kernel takes, without its NUL (PATH_MAX).
const maxPath = 4095

// absolute takes an absolute path in its shortest form. Traversal is refused,
// not resolved: across a symlink, /a/../b is not /b.
func absolute(r *report, n *node) (string, bool) {
	s, ok := text(r, n)
	if !ok {
		return "", false
	}
	if problem, suggestion := pathProblem(s); problem != "" {
		r.add(n, n.at, suggestion, problem)
		return "", false
	}
	return s, true
}

// directory takes an absolute path that is not the root: a source is staged
// whole, and nobody means the whole host.
func directory(r *report, n *node) (string, bool) {
	s, ok := absolute(r, n)
	if ok && s == "/" {
		r.value(n, "is the root of the host")
		return "", false
	}
	return s, ok
}

// wordOrPath takes one of words or an absolute path.
func wordOrPath(words ...string) checker[string] {
	return func(r *report, n *node) (string, bool) {
		s, ok := text(r, n)
		if !ok || slices.Contains(words, s) {
			return s, ok
		}
		if strings.Contains(s, "/") {
			return absolute(r, n)
		}
		r.word(n, s, quote(s)+" is neither "+strings.Join(words, ", ")+" nor an absolute path", words...)
		return "", false
	}
}

// taken are the trees that the runtime makes itself, where a mount could hide
// masked paths or replace devices, and the one that holds the notify socket.
var taken = []string{"/proc", "/sys", "/dev", "/run/gatewayd"}

// mountTarget takes a path of the container at which something may be mounted.
func mountTarget(r *report, n *node) (string, bool) {
	s, ok := absolute(r, n)
	if !ok {
		return "", false
	}
	if s == "/" {
		r.value(n, "is the root of the container")
		return "", false
	}
	for _, tree := range taken {
		if beneath(s, tree) {
			r.value(n, "%s is refused: nothing may be mounted at or below %s", quote(s), tree)
			return "", false
		}
	}
	return s, true
}

// beneath tells whether path is tree or lies in it.
func beneath(path, tree string) bool {
	return path == tree || strings.HasPrefix(path, strings.TrimSuffix(tree, "/")+"/")
}

// pathProblem tells what is wrong with an absolute path, and what was meant.
func pathProblem(s string) (problem, suggestion string) {
	switch {
	case s == "":
		return "is empty", ""
	case strings.ContainsFunc(s, unicode.IsControl):
		return quote(s) + " contains a control character", ""
	case len(s) > maxPath:
		return "is longer than " + strconv.Itoa(maxPath) + " bytes", ""
	case slices.Contains(strings.Split(s, "/"), ".."):
		return quote(s) + ` traverses: ".." is not allowed`, ""
	case !strings.HasPrefix(s, "/"):
		return quote(s) + " is relative: want an absolute path", ""
	case path.Clean(s) != s:
		return quote(s) + " is not in its shortest form", quote(path.Clean(s))
	}
	return "", ""
}
