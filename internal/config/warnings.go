package config

import (
	"fmt"
	"os"
	"strings"
)

// Warnings tells what would make a launch of the gateway fail at this moment,
// though nothing is wrong with the configuration: paths that are missing,
// required variables that lookupEnv (as os.LookupEnv) does not find or that are
// blank. It never tells a value.
func (g Gateway) Warnings(lookupEnv func(string) (string, bool)) []string {
	var warnings []string
	for _, p := range g.hostPaths() {
		if problem := p.problem(); problem != "" {
			warnings = append(warnings, fmt.Sprintf("%s: %s", p.key, problem))
		}
	}
	for _, name := range g.Env.Required {
		if value, _ := lookupEnv(name); strings.TrimSpace(value) == "" {
			warnings = append(warnings, "env.required: "+name+" is not set")
		}
	}
	return warnings
}

// hostPath is a path of the host that a launch needs.
type hostPath struct {
	key, path string
	directory bool
}

func (g Gateway) hostPaths() []hostPath {
	paths := []hostPath{{"rootfs", g.Rootfs, true}, {"bundle", g.Bundle, true}}
	for i, m := range g.Mounts {
		if m.Source != DataSource {
			paths = append(paths, hostPath{fmt.Sprintf("mount[%d].source", i), m.Source, false})
		}
	}
	if strings.HasPrefix(g.Isolation.Seccomp, "/") {
		paths = append(paths, hostPath{"isolation.seccomp", g.Isolation.Seccomp, false})
	}
	return paths
}

func (p hostPath) problem() string {
	if p.path == "" {
		return ""
	}
	info, err := os.Stat(p.path)
	switch {
	case err != nil:
		return printable(err.Error())
	case p.directory && !info.IsDir():
		return printable(p.path) + " is not a directory"
	}
	return ""
}
