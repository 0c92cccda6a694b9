package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
	h, plans := testHost(f), testPlans()
	f.Fuzz(func(t *testing.T, data []byte) {
		packaged, err := parseSpec(data)
		if err != nil {
			return
		}
		for _, plan := range plans {
			spec, err := plan.specOn(h, packaged)
			if err != nil {
				checkRefusal(t, packaged, spec, err)
				continue
			}
			checkHardened(t, plan, h, spec)
			checkUser(t, plan, packaged, spec)
		}
	})
}

// testPlans differ in what decides about how a package is judged.
func testPlans() []Plan {
	single, overlay, several, inside := testPlan("/rootfs"), testPlan(""), testPlan("/rootfs"), testPlan("")
	overlay.Overlay, overlay.ReadOnly, overlay.Network = testOverlay("/opt/web/rootfs"), true, NetworkNone
	several.IDs = severalIDs()
	inside.IDs, inside.InNamespace, inside.Overlay = severalIDs(), true, testOverlay("/opt/web/rootfs")
	given, override := several, single
	given.Given, given.SeccompChosen, given.Tmp = Given{[]string{"CAP_SYS_ADMIN"}, true, []string{"/proc/kcore", "/proc/sys"}}, true, 0
	override.Override, override.Seccomp = true, nil
	return []Plan{single, overlay, several, inside, given, override}
}

func severalIDs() IDMap {
	return IDMap{UIDs: []IDRange{{0, 1001, 1}, {1, 100000, 65535}}, GIDs: []IDRange{{0, 1002, 1}, {1, 100000, 65535}}}
}

func testOverlay(lower string) *Overlay {
	o := overlayIn("/var/lib/o,v:e", lower)
	return &o
}

// placeInJSON finds the place that a refusal names: members and indices.
var placeInJSON = regexp.MustCompile(`^spec of web-1-abc: ([a-zA-Z.0-9\[\]]+): refused: .`)

// checkRefusal: the error is ErrRefused and begins with a place that is in the
// package. What is missing there (no program, an empty type) is found by its
// parent.
func checkRefusal(t rapid.TB, packaged, spec *specs.Spec, err error) {
	t.Helper()
	found := placeInJSON.FindStringSubmatch(err.Error())
	if spec != nil || !errors.Is(err, ErrRefused) || found == nil {
		t.Fatalf("%v, %v", spec, err)
	}
	data, failed := json.Marshal(packaged)
	must(t, failed)
	var at any
	must(t, json.Unmarshal(data, &at))
	steps := strings.FieldsFunc(found[1], func(r rune) bool { return strings.ContainsRune(".[]", r) })
	for i, step := range steps {
		last := i == len(steps)-1
		switch v := at.(type) {
		case map[string]any:
			var ok bool
			if at, ok = v[step]; !ok && !last && found[1] != "process.args" {
				t.Fatalf("%v: no %s in %s", err, step, data)
			}
		case []any:
			n, failed := strconv.Atoi(step)
			if failed != nil || n >= len(v) {
				t.Fatalf("%v: no [%s] in %s", err, step, data)
			}
			at = v[n]
		default:
			if found[1] != "process.args" {
				t.Fatalf("%v: no place %s in %s", err, found[1], data)
			}
		}
	}
}

// checkUser says again who the program is, and what it may do.
func checkUser(t rapid.TB, plan Plan, packaged, spec *specs.Spec) {
	t.Helper()
	want, may := specs.User{}, len(plan.Given.Capabilities)
	if packaged.Process != nil {
		want.Umask = packaged.Process.User.Umask
	}
	if len(plan.IDs.UIDs) > 1 {
		if packaged.Process != nil {
			want = packaged.Process.User
			want.Username = ""
		}
		if want.UID == 0 {
			may += 6
		}
	}
	u, c := spec.Process.User, spec.Process.Capabilities
	if !cmp.Equal(u, want, cmpopts.EquateEmpty()) || u.UID > 65535 || u.GID > 65535 {
		t.Fatalf("user %+v, want %+v", u, want)
	}
	for _, set := range [][]string{c.Bounding, c.Effective, c.Permitted} {
		if len(set) != may || slices.Contains(set, "CAP_SYS_ADMIN") != slices.Contains(plan.Given.Capabilities, "CAP_SYS_ADMIN") {
			t.Fatalf("user %+v has capabilities %v", u, set)
		}
	}
	if u.UID == 0 {
		may = 0 // root has what is permitted, and passes nothing on
	}
	if len(c.Inheritable) != may || len(c.Ambient) != may {
		t.Fatalf("inheritable or ambient capabilities: %+v", c)
	}
	for _, gid := range u.AdditionalGids {
		if gid > 65535 {
			t.Fatalf("group %d", gid)
		}
	}
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
	check(strings.Contains(string(data), `"capabilities":{`), "capabilities")
	again := new(specs.Spec)
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	must(t, strict.Decode(again))
	check(cmp.Equal(spec, again, cmpopts.EquateEmpty()), "another spec once it is written")
	p, l := spec.Process, spec.Linux
	check(p.NoNewPrivileges != plan.Given.NewPrivileges && !p.Terminal && p.OOMScoreAdj == nil && p.Scheduler == nil && p.IOPriority == nil, "process")
	check(len(p.Args) > 0 && !strings.Contains(strings.Join(p.Args, ""), "\x00"), "args")
	check(filepath.IsAbs(p.Cwd) && filepath.Clean(p.Cwd) == p.Cwd, "cwd")
	for _, r := range p.Rlimits {
		check(r.Soft <= r.Hard && r.Hard <= h.hardLimit(0), "rlimits")
	}
	check(spec.Annotations == nil && spec.Hostname != "", "annotations and hostname")
	check(plan.Overlay == nil && spec.Root.Path == plan.Rootfs || plan.Overlay != nil && spec.Root.Path == plan.Overlay.Root, "root")
	check(spec.Hooks == nil || cmp.Equal(spec.Hooks, &specs.Hooks{CreateContainer: plan.Hooks}), "hooks")
	if plan.InNamespace {
		check(l.UIDMappings == nil && l.GIDMappings == nil, "mappings")
	} else {
		check(cmp.Equal(l.UIDMappings, idMappings(plan.IDs.UIDs)) && cmp.Equal(l.GIDMappings, idMappings(plan.IDs.GIDs)), "mappings")
	}
	check(l.CgroupsPath == plan.CgroupsPath && l.Resources == nil && l.Devices == nil && l.Sysctl == nil && l.Seccomp == plan.Seccomp, "linux")
	for _, path := range append(slices.Clone(maskedPaths), "/proc/kcore") {
		check(slices.Contains(l.MaskedPaths, path) != slices.Contains(plan.Given.Unmask, path), "masked "+path)
	}
	check(slices.Contains(l.ReadonlyPaths, "/proc/sys") != slices.Contains(plan.Given.Unmask, "/proc/sys"), "read-only /proc/sys")
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
	if plan.InNamespace {
		want = strings.Replace(want, " user", "", 1)
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
	if plan.Overlay != nil {
		fixed = append([]string{"/"}, fixed...)
		check(len(mounts) > 0 && mounts[0].Type == "overlay" && cmp.Equal(mounts[0].Options, []string{"nosuid", "nodev", "userxattr", "volatile",
			`lowerdir=/var/lib/o\,v\:e/lower`, `upperdir=/var/lib/o\,v\:e/upper`, `workdir=/var/lib/o\,v\:e/work`}), "overlay")
	}
	check(plan.Tmp == 0 || slices.ContainsFunc(mounts, func(m specs.Mount) bool { return m.Destination == "/tmp" }), "/tmp")
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
		packaged := strings.HasPrefix(m.Source, plan.Bundle+"/") && readOnly && !strings.Contains(m.Source+"/", "/../")
		check(m.Type == "bind" && (planned || packaged || readOnly && (m.Source == plan.Init || filepath.Dir(m.Source) == h.etc)), "bind of "+m.Source)
	}
}

// A map is read as it was written, each line of it; half a one is an error.
func FuzzIDMap(f *testing.F) {
	f.Add([]byte("         0       1001          1\n"), uint32(1), uint32(100000), uint32(65536))
	f.Add([]byte("0 0\n"), uint32(0), uint32(0), uint32(math.MaxUint32))
	f.Fuzz(func(t *testing.T, text []byte, container, host, size uint32) {
		ranges, err := parseMap(text)
		if lines := len(slices.Collect(bytes.Lines(text))); err == nil && len(ranges) != lines || err != nil && ranges != nil {
			t.Fatalf("%d lines are %v, %v", lines, ranges, err)
		}
		ranges = append(ranges, IDRange{container, host, size})
		var written []byte
		for _, r := range ranges {
			written = fmt.Appendf(written, "%10d %10d %10d\n", r.Container, r.Host, r.Size)
		}
		if again, err := parseMap(written); err != nil || !slices.Equal(again, ranges) {
			t.Errorf("%s is %v, %v", written, again, err)
		}
	})
}
