package config

import (
	"path/filepath"
	"testing"
)

func TestWarnings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	touch(t, file)
	env := map[string]string{"SET": "canary", "BLANK": " \t"}
	lookup := func(name string) (string, bool) { value, ok := env[name]; return value, ok }

	g := defaultGateway("web")
	g.Rootfs = dir
	g.Mounts = []Mount{{Source: DataSource, Target: "/data"}, {Source: file, Target: "/file"}}
	g.Isolation.Seccomp = file
	g.Env.Required = []string{"SET"}
	compare(t, []string(nil), g.Warnings(lookup))

	g.Rootfs = file
	g.Mounts[1].Source = dir + "/none"
	g.Isolation.Seccomp = dir + "/none.json"
	g.Env.Required = []string{"UNSET", "SET", "BLANK"}
	compare(t, []string{
		"rootfs: " + file + " is not a directory",
		"mount[1].source: stat " + dir + "/none: no such file or directory",
		"isolation.seccomp: stat " + dir + "/none.json: no such file or directory",
		"env.required: UNSET is not set",
		"env.required: BLANK is not set",
	}, g.Warnings(lookup))
}
