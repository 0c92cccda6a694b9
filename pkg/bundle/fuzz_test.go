package bundle

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"
)

// Whatever a package says, the spec is hardened or refused.
func FuzzSpec(f *testing.F) {
	files, err := filepath.Glob("testdata/packaged/*.json")
	must(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"process": {"args": ["a"]}, "mounts": [{"destination": "/a/../proc/x", "type": "tmpfs"}, {"destination": "//dev", "options": ["bind"]}]}`))
	h, plan := testHost(f), testPlan("/rootfs")
	f.Fuzz(func(t *testing.T, data []byte) {
		packaged, err := parseSpec(data)
		if err != nil {
			return
		}
		spec, err := plan.specOn(h, packaged)
		if err != nil {
			if !errors.Is(err, ErrRefused) || spec != nil {
				t.Fatalf("%v, %v", spec, err)
			}
			return
		}
		checkHardened(t, plan, h, spec)
	})
}

// checkHardened says again what a launch's spec must be, in other words than
// the code that makes it.
func checkHardened(t rapid.TB, plan Plan, h host, spec *specs.Spec) {
	t.Helper()
	check := func(ok bool, what string) {
		t.Helper()
		if !ok {
			data, _ := json.Marshal(spec)
			t.Fatalf("%s: %s", what, data)
		}
	}
	data, err := json.Marshal(spec)
	must(t, err)
	check(strings.Contains(string(data), `"capabilities":{}`), "capabilities")
	p, l := spec.Process, spec.Linux
	check(p.NoNewPrivileges && !p.Terminal && p.OOMScoreAdj == nil && p.Scheduler == nil && p.IOPriority == nil, "process")
	check(p.User.UID == 0 && p.User.GID == 0 && p.User.AdditionalGids == nil, "user")
	check(len(p.Args) > 0 && !strings.Contains(strings.Join(p.Args, ""), "\x00"), "args")
	check(filepath.IsAbs(p.Cwd) && filepath.Clean(p.Cwd) == p.Cwd, "cwd")
	for _, r := range p.Rlimits {
		check(r.Soft <= r.Hard && r.Hard <= h.hardLimit(0), "rlimits")
	}
	check(spec.Annotations == nil && spec.Hostname != "", "annotations and hostname")
	check(spec.Root.Path == plan.Rootfs, "root")
	check(spec.Hooks == nil || cmp.Equal(spec.Hooks, &specs.Hooks{CreateContainer: plan.Hooks}), "hooks")
	check(cmp.Equal(l.UIDMappings, idMappings(plan.IDs.UIDs)) && cmp.Equal(l.GIDMappings, idMappings(plan.IDs.GIDs)), "mappings")
	check(l.CgroupsPath == plan.CgroupsPath && l.Resources == nil && l.Devices == nil && l.Sysctl == nil && l.Seccomp == plan.Seccomp, "linux")
	for _, path := range append(slices.Clone(maskedPaths), "/proc/kcore") {
		check(slices.Contains(l.MaskedPaths, path), "masked "+path)
	}
	check(slices.Contains(l.ReadonlyPaths, "/proc/sys"), "read-only /proc/sys")
	checkNamespaces(check, plan, l.Namespaces)
	checkEnv(check, plan, p.Env)
	checkMounts(check, plan, h, spec.Mounts)
}

func checkNamespaces(check func(bool, string), plan Plan, namespaces []specs.LinuxNamespace) {
	var kinds []string
	for _, n := range namespaces {
		check(n.Path == "", "a joined namespace")
		kinds = append(kinds, string(n.Type))
	}
	slices.Sort(kinds)
	want := "cgroup ipc mount pid user uts"
	if plan.Network == NetworkNone {
		want = "cgroup ipc mount network pid user uts"
	}
	check(strings.Join(kinds, " ") == want, "namespaces")
}

func checkEnv(check func(bool, string), plan Plan, env []string) {
	seen := map[string]bool{}
	for _, variable := range env {
		name, _, ok := strings.Cut(variable, "=")
		check(ok && name != "" && !seen[name], "variable "+name)
		seen[name] = true
		if name == "NOTIFY_SOCKET" || name == "LISTEN_FDS" || name == "LISTEN_PID" {
			check(slices.Contains(plan.Env, variable), "a packaged "+name)
		}
	}
	check(seen["PATH"], "PATH")
}

func checkMounts(check func(bool, string), plan Plan, h host, mounts []specs.Mount) {
	fixed := []string{"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys"}
	for i, m := range mounts {
		check(m.UIDMappings == nil && m.GIDMappings == nil, "id-mapped mount")
		if i < len(fixed) {
			check(m.Destination == fixed[i], "fixed mount")
			continue
		}
		d := m.Destination
		check(filepath.Clean(d) == d && len(d) > 1 && d[0] == '/', "destination "+d)
		for _, dir := range []string{"/proc", "/sys", "/dev"} {
			check(!strings.HasPrefix(d+"/", dir+"/") || d == InitTarget, "mount in "+dir)
		}
		if m.Type == "tmpfs" {
			check(slices.Contains(m.Options, "nosuid") && slices.Contains(m.Options, "nodev"), "options of "+d)
			continue
		}
		readOnly := slices.Contains(m.Options, "ro") || slices.Contains(m.Options, "rro")
		planned := slices.ContainsFunc(plan.Mounts, func(p Mount) bool { return p.Source == m.Source && (readOnly || !p.ReadOnly) })
		packaged := strings.HasPrefix(m.Source, plan.Bundle+"/") && readOnly && !strings.Contains(m.Source, "..")
		check(m.Type == "bind" && (planned || packaged || readOnly && (m.Source == plan.Init || filepath.Dir(m.Source) == h.etc)), "bind of "+m.Source)
	}
}
