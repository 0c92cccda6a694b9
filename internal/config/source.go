package config

import "errors"

// WithSource is g with another source: the rootfs, or the bundle where that is
// given. The error says what the file could not say either.
func (g Gateway) WithSource(rootfs, bundle string) (Gateway, error) {
	path := rootfs + bundle
	problem, _ := pathProblem(path)
	switch {
	case rootfs != "" && bundle != "":
		return g, errors.New("rootfs excludes bundle: a gateway has one source")
	case problem != "":
		return g, errors.New("source " + problem)
	case path == "/":
		return g, errors.New("source / is the root of the host")
	case rootfs != "" && g.Command == nil:
		return g, errors.New("the gateway has no command, and a rootfs does not say what to run")
	}
	g.Rootfs, g.Bundle = rootfs, bundle
	return g, nil
}

// Source is the path of what the gateway is staged from.
func (g Gateway) Source() string { return g.Rootfs + g.Bundle }
