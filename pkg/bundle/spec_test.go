package bundle

import (
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var update = flag.Bool("update", false, "accept the specs that are made as the golden ones")

// testHost is the same on each machine.
func testHost(t testing.TB) host {
	t.Helper()
	etc := scratch(t)
	must(t, os.WriteFile(filepath.Join(etc, "hosts"), []byte("127.0.0.1 localhost\n"), 0o644), os.WriteFile(filepath.Join(etc, "resolv.conf"), []byte("nameserver 192.0.2.1\n"), 0o644))
	return host{
		hardLimit: func(int) uint64 { return 4096 },
		isFile:    func(path string) bool { return strings.HasSuffix(path, "file") || filepath.Dir(path) == etc },
		etc:       etc,
	}
}

// testPlan is one that leaves the package all it may have.
func testPlan(rootfs string) Plan {
	return Plan{
		ID: "web-1-abc", Rootfs: rootfs, IDs: SingleID(1001, 1002), Network: NetworkHost, Bundle: "/opt/web", Tmp: 1 << 20,
		Seccomp: &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}, CgroupsPath: "/user.slice/web-1-abc",
	}
}

func packagedSpec(t testing.TB, name string) *specs.Spec {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/packaged", name+".json"))
	must(t, err)
	spec, err := parseSpec(data)
	must(t, err)
	return spec
}

func TestSpecIsGolden(t *testing.T) {
	bare := func(p *Plan) { p.Args = []string{"/bin/web"} }
	for name, c := range map[string]struct {
		packaged string
		change   func(*Plan)
	}{
		"bare":    {"", bare},
		"runc":    {"runc", func(p *Plan) { p.Override = true }},
		"crun":    {"crun", func(p *Plan) { p.Override = true }},
		"youki":   {"youki", func(p *Plan) { p.Given.Capabilities = []string{"CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"} }},
		"rich":    {"rich", func(p *Plan) { p.Override = true }},
		"none":    {"", func(p *Plan) { bare(p); p.Network, p.ReadOnly, p.CgroupsPath, p.Seccomp = NetworkNone, true, "", nil }},
		"several": {"nginx", func(p *Plan) { p.Override, p.IDs = true, severalIDs() }},
		"overlay": {"nginx", func(p *Plan) {
			p.IDs, p.InNamespace, p.Rootfs, p.Overlay = severalIDs(), true, "", testOverlay("/opt/web/rootfs")
			p.Given.Capabilities = []string{"CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN"}
		}},
		"given": {"other", func(p *Plan) {
			p.IDs, p.Tmp, p.SeccompChosen = severalIDs(), 0, true
			p.Given = Given{[]string{"CAP_SYS_PTRACE"}, true, []string{"/proc/kcore", "/proc/timer_list", "/proc/sys"}}
			p.Limits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 4096, Soft: 4096}, {Type: "RLIMIT_NPROC", Hard: 64, Soft: 64}}
		}},
		"laid over": {"rich", func(p *Plan) {
			p.Override = true
			p.Args, p.Cwd, p.Hostname, p.Init = []string{"/bin/other", "-x"}, "/srv", "other", "/usr/bin/gatewayd-file"
			p.Env = []string{"COLOUR=red", "LISTEN_FDS=1", "NEW=1"}
			p.Mounts = []Mount{{Source: "/home/me/data", Target: "/data/"}, {Source: "/home/me/file", Target: "/etc/resolv.conf", ReadOnly: true}}
			p.Mounts = append(p.Mounts, Mount{Source: "/run/mine/not-there-yet", Target: "/run/secrets/token", ReadOnly: true, File: true})
			p.Hooks = []specs.Hook{{Path: "/usr/bin/gatewayd", Args: []string{"gatewayd", "hook"}, Env: []string{"PATH=/bin"}}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h, rootfs := testHost(t), scratch(t)
			plan := testPlan(rootfs)
			c.change(&plan)
			var packaged *specs.Spec
			if c.packaged != "" {
				packaged = packagedSpec(t, c.packaged)
			}
			before, _ := json.Marshal(packaged)
			spec, err := plan.specOn(h, packaged)
			must(t, err)
			checkHardened(t, plan, h, spec)
			if after, _ := json.Marshal(packaged); string(after) != string(before) {
				t.Errorf("the packaged spec was changed: %s", cmp.Diff(string(before), string(after)))
			}
			golden(t, strings.ReplaceAll(name, " ", "-"), spec, strings.NewReplacer(rootfs, "ROOTFS", h.etc, "ETC"))
		})
	}
}

func golden(t *testing.T, name string, spec *specs.Spec, places *strings.Replacer) {
	t.Helper()
	data, err := json.MarshalIndent(spec, "", "  ")
	must(t, err)
	got := places.Replace(string(data)) + "\n"
	path := filepath.Join("testdata/spec", name+".golden.json")
	if *update {
		must(t, os.MkdirAll("testdata/spec", 0o755), os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("not the golden spec; -update accepts it (-want +got):\n%s", diff)
	}
}

func TestSpecRefuses(t *testing.T) {
	for asked, place := range map[string]string{
		`"hooks": {"prestart": [{"path": "/bin/true"}]}`: "hooks",
		`"hooks": {"poststop": [{"path": "/bin/true"}]}`: "hooks",
		`"domainname": "x"`: "domainname",
		`"vm": {}`:          "vm",
		`"windows": {}`:     "windows",
		`"hostname": "` + strings.Repeat("h", 65) + `"`:                                                                   "hostname",
		`"process": {"args": []}`:                                                                                         "process.args",
		`"process": {"args": ["a\u0000b"]}`:                                                                               "process.args[0]",
		`"process": {"args": ["a"], "cwd": "relative"}`:                                                                   "process.cwd",
		`"process": {"args": ["a"], "env": ["A=1", "B"]}`:                                                                 "process.env[1]",
		`"process": {"args": ["a"], "env": ["=1"]}`:                                                                       "process.env[0]",
		`"process": {"args": ["a"], "user": {"additionalGids": [5]}}`:                                                     "process.user.additionalGids",
		`"process": {"args": ["a"], "user": {"umask": 512}}`:                                                              "process.user.umask",
		`"process": {"args": ["a"], "apparmorProfile": "x"}`:                                                              "process.apparmorProfile",
		`"process": {"args": ["a"], "selinuxLabel": "x"}`:                                                                 "process.selinuxLabel",
		`"process": {"args": ["a"], "rlimits": [{"type": "RLIMIT_X"}]}`:                                                   "process.rlimits[0].type",
		`"process": {"args": ["a"], "rlimits": [{"type": "RLIMIT_CORE"}, {"type": "RLIMIT_CORE"}]}`:                       "process.rlimits[1].type",
		`"process": {"args": ["a"], "rlimits": [{"type": "RLIMIT_CORE", "soft": 1}]}`:                                     "process.rlimits[0].soft",
		`"linux": {"devices": [{"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}]}`:                               "linux.devices",
		`"linux": {"netDevices": {"eth0": {}}}`:                                                                           "linux.netDevices",
		`"linux": {"sysctl": {"net.ipv4.ip_forward": "1"}}`:                                                               "linux.sysctl",
		`"linux": {"personality": {"domain": "LINUX32"}}`:                                                                 "linux.personality",
		`"linux": {"timeOffsets": {"boottime": {"secs": 1}}}`:                                                             "linux.timeOffsets",
		`"linux": {"rootfsPropagation": "shared"}`:                                                                        "linux.rootfsPropagation",
		`"linux": {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/proc/1/ns/net"}]}`:                       "linux.namespaces[1].path",
		`"linux": {"maskedPaths": ["` + strings.Join(usuallyMasked, `", "`) + `", "../x"]}`:                               "linux.maskedPaths[7]",
		`"mounts": [{"destination": "/home", "type": "bind", "source": "/home", "options": ["bind"]}]`:                    "mounts[0].source",
		`"mounts": [{"destination": "/home", "source": "/home", "options": ["rbind", "ro"]}]`:                             "mounts[0].source",
		`"mounts": [{"destination": "/home", "type": "tmpfs", "source": "/home", "options": ["rbind"]}]`:                  "mounts[0].source",
		`"mounts": [{"destination": "/x", "type": "bind", "source": "/opt/web/../../etc"}]`:                               "mounts[0].source",
		`"mounts": [{"destination": "/x", "type": "bind", "source": "/opt/webx"}]`:                                        "mounts[0].source",
		`"mounts": [{"destination": "/x", "type": "bind", "source": "relative"}]`:                                         "mounts[0].source",
		`"mounts": [{"destination": "/x", "type": "overlay", "options": ["lowerdir=/etc"]}]`:                              "mounts[0].type",
		`"mounts": [{"destination": "/proc/sys", "type": "tmpfs"}]`:                                                       "mounts[0].destination",
		`"mounts": [{"destination": "/a/../dev/null", "type": "tmpfs"}]`:                                                  "mounts[0].destination",
		`"mounts": [{"destination": "/", "type": "tmpfs"}]`:                                                               "mounts[0].destination",
		`"mounts": [{"destination": "x", "type": "tmpfs"}]`:                                                               "mounts[0].destination",
		`"mounts": [{"destination": "/x", "type": "tmpfs", "options": ["shared"]}]`:                                       "mounts[0].options[0]",
		`"mounts": [{"destination": "/x", "type": "tmpfs", "options": ["size="]}]`:                                        "mounts[0].options[0]",
		`"mounts": [{"destination": "/x", "type": "tmpfs", "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}]`: "mounts[0].uidMappings",
		`"mounts": [{"destination": "/x", "type": "tmpfs"}, {"destination": "/y", "type": "proc", "source": "proc"}]`:     "mounts[1].type",
	} {
		t.Run(asked, func(t *testing.T) {
			text := `{"process": {"args": ["a"]}, ` + asked + `}`
			packaged, err := parseSpec([]byte(text))
			must(t, err)
			_, err = testPlan("/rootfs").Spec(packaged)
			refusal := new(Refusal)
			if !errors.Is(err, ErrRefused) || !errors.As(err, &refusal) || refusal.Place != place || !strings.Contains(err.Error(), ": "+place+": refused: ") {
				t.Errorf("error %v, want one about %s", err, place)
			}
		})
	}
}

// What a package says and is weaker than the plan is refused, given by the plan,
// or replaced where somebody says so.
func TestWeakerThanThePlan(t *testing.T) {
	masked, _ := json.Marshal(usuallyMasked)
	readonly, _ := json.Marshal(readonlyPaths)
	for asked, c := range map[string]struct {
		place string
		give  func(*Plan) // nil: by Override alone
	}{
		`"process": {"args": ["a"], "capabilities": {"bounding": ["CAP_KILL"]}}`:                            {"process.capabilities.bounding[0]", func(p *Plan) { p.Given.Capabilities = []string{"CAP_KILL"} }},
		`"process": {"args": ["a"], "capabilities": {"ambient": ["CAP_CHOWN", "CAP_SYS_ADMIN"]}}`:           {"process.capabilities.ambient[0]", func(p *Plan) { p.Given.Capabilities = []string{"CAP_SYS_ADMIN", "CAP_CHOWN"} }},
		`"process": {"args": ["a"], "capabilities": {"permitted": ["nonsense"]}}`:                           {"process.capabilities.permitted[0]", nil},
		`"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}`:                                         {"linux.seccomp", func(p *Plan) { p.SeccompChosen = true }},
		`"linux": {"maskedPaths": []}`:                                                                      {"linux.maskedPaths", func(p *Plan) { p.Given.Unmask = usuallyMasked }},
		`"linux": {"maskedPaths": ` + strings.Replace(string(masked), `"/proc/kcore",`, "", 1) + `}`:        {"linux.maskedPaths", func(p *Plan) { p.Given.Unmask = []string{"/proc/kcore"} }},
		`"linux": {"readonlyPaths": ` + strings.Replace(string(readonly), `"/proc/sys",`, "", 1) + `}`:      {"linux.readonlyPaths", func(p *Plan) { p.Given.Unmask = []string{"/proc/sys"} }},
		`"linux": {"resources": {"devices": [{"allow": false}, {"allow": true, "access": "rwm"}]}}`:         {"linux.resources.devices[1]", nil},
		`"linux": {"resources": {"devices": [{"allow": true, "type": "c", "major": -1, "minor": -1}]}}`:     {"linux.resources.devices[0]", nil},
		`"mounts": [{"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]}]`:     {"mounts[0].source", nil},
		`"mounts": [{"destination": "/proc/", "type": "none", "source": "/proc", "options": ["bind"]}]`:     {"mounts[0].source", nil},
		`"mounts": [{"destination": "/dev", "type": "devtmpfs", "source": "dev"}]`:                          {"mounts[0].type", nil},
		`"mounts": [{"destination": "/dev/shm", "type": "bind", "source": "/dev/shm"}]`:                     {"mounts[0].source", nil},
		`"mounts": [{"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "rw"]}]`: {"mounts[0].source", nil},
		`"mounts": [{"destination": "/sys", "type": "bind", "source": "/", "options": ["rbind", "ro"]}]`:    {"mounts[0].source", nil},
		`"mounts": [{"destination": "/x", "type": "tmpfs", "options": ["size=1m", "suid"]}]`:                {"mounts[0].options[1]", nil},
		`"mounts": [{"destination": "/x", "type": "bind", "source": "/opt/web/x", "options": ["dev"]}]`:     {"mounts[0].options[0]", nil},
		`"mounts": [{"destination": "/x", "type": "bind", "source": "/opt/web/x", "options": ["rw"]}]`:      {"mounts[0].options[0]", nil},
		// What every tool writes is not weaker, though our own lists are longer.
		`"linux": {"maskedPaths": ` + string(masked) + `, "readonlyPaths": ` + string(readonly) + `}`:          {"", nil},
		`"mounts": [{"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"]}]`:    {"", nil},
		`"linux": {"resources": {"devices": [{"allow": true, "type": "c", "access": "m"}]}}`:                   {"", nil},
		`"process": {"args": ["a"], "capabilities": {}}, "linux": {"namespaces": []}`:                          {"", nil},
		`"mounts": [{"destination": "/sys/fs/cgroup", "type": "cgroup2", "source": "cgroup"}]`:                 {"", nil},
		`"mounts": [{"destination": "/x", "type": "bind", "source": "/opt/web/x", "options": ["bind", "ro"]}]`: {"", nil},
	} {
		t.Run(asked, func(t *testing.T) {
			packaged, err := parseSpec([]byte(`{"process": {"args": ["a"]}, ` + asked + `}`))
			must(t, err)
			for name, change := range map[string]func(*Plan){"": func(*Plan) {}, "given": c.give, "override": func(p *Plan) { p.Override = true }} {
				if change == nil {
					continue
				}
				plan, place := testPlan("/rootfs"), ""
				change(&plan)
				if name == "" {
					place = c.place
				}
				spec, err := plan.Spec(packaged)
				refusal := new(Refusal)
				if errors.As(err, &refusal); refusal.Place != place || (place == "") != (err == nil) {
					t.Errorf("%q: refused for %q, want %q: %v", name, refusal.Place, place, err)
				}
				if err == nil {
					checkHardened(t, plan, thisHost(), spec)
					checkUser(t, plan, packaged, spec)
				}
			}
		})
	}
}

// specs.Spec does not tell what says no from what says nothing.
func TestPackageThatWantsNewPrivileges(t *testing.T) {
	for said, wants := range map[string]bool{`"noNewPrivileges": false`: true, `"noNewPrivileges": true`: false, `"cwd": "/"`: false} {
		packaged, err := Open(pack(t, `{"root": {"path": "rootfs"}, "process": {"args": ["a"], `+said+`}}`))
		must(t, err)
		plan := testPlan("/rootfs")
		_, err = plan.SpecOf(packaged)
		refusal := new(Refusal)
		if errors.As(err, &refusal); (refusal.Place == "process.noNewPrivileges") != wants || (err != nil) != wants {
			t.Errorf("%s: %v", said, err)
		}
		plan.Override = true
		spec, err := plan.SpecOf(packaged)
		must(t, err)
		if !spec.Process.NoNewPrivileges {
			t.Errorf("%s: given by an override", said)
		}
		plan.Given.NewPrivileges, plan.Override = true, false
		spec, err = plan.SpecOf(packaged)
		must(t, err)
		if spec.Process.NoNewPrivileges {
			t.Errorf("%s: not given", said)
		}
	}
}

// Limits are promises: one that cannot be kept is an error, which is not the
// package's.
func TestLimits(t *testing.T) {
	h, plan := testHost(t), testPlan("/rootfs")
	plan.Override = true
	plan.Args, plan.Limits = []string{"/bin/web"}, []specs.POSIXRlimit{{Type: "RLIMIT_NPROC", Hard: 4097, Soft: 1}}
	if _, err := plan.specOn(h, nil); err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "RLIMIT_NPROC: 4097 is above the hard limit of this process, 4096") {
		t.Errorf("above the hard limit: %v", err)
	}
	plan.Limits[0].Hard = 4096
	spec, err := plan.specOn(h, packagedSpec(t, "other"))
	must(t, err)
	want := []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}, {Type: "RLIMIT_NPROC", Hard: 4096, Soft: 1}}
	if !cmp.Equal(spec.Process.Rlimits, want) {
		t.Errorf("limits %+v", spec.Process.Rlimits)
	}
}

// A container with several ids takes a package's users, as far as it has them.
func TestSpecWithSeveralIDs(t *testing.T) {
	max := `"containerID": 4294967295, "hostID": 0, "size": 1`
	for asked, place := range map[string]string{
		`"process": {"args": ["a"], "user": {"uid": 101, "gid": 65535, "additionalGids": [0, 4, 65535]}}`:                    "",
		`"process": {"args": ["a"], "user": {"uid": 65536}}`:                                                                 "process.user.uid",
		`"process": {"args": ["a"], "user": {"gid": 65536}}`:                                                                 "process.user.gid",
		`"process": {"args": ["a"], "user": {"additionalGids": [4, 4294967295]}}`:                                            "process.user.additionalGids[1]",
		`"linux": {"uidMappings": [{"containerID": 65535, "size": 1}, {"containerID": 0, "hostID": 100000, "size": 65535}]}`: "",
		`"linux": {"uidMappings": [{"containerID": 1, "size": 9}, {"containerID": 65535, "hostID": 100000, "size": 2}]}`:     "linux.uidMappings[1]",
		`"linux": {"gidMappings": [{"containerID": 65536, "size": 1}]}`:                                                      "linux.gidMappings[0]",
		`"linux": {"gidMappings": [{"containerID": 0, "size": 65537}]}`:                                                      "linux.gidMappings[0]",
		`"linux": {"gidMappings": [{"containerID": 0, "size": 2}, {"containerID": 1, "hostID": 9, "size": 1}]}`:              "linux.gidMappings[1]",
		`"linux": {"gidMappings": [{"containerID": 0, "hostID": 8, "size": 2}, {"containerID": 3, "hostID": 7, "size": 2}]}`: "linux.gidMappings[1]",
		`"linux": {"uidMappings": [{"containerID": 0, "size": 0}]}`:                                                          "linux.uidMappings[0]",
		`"linux": {"uidMappings": [{` + max + `}]}`:                                                                          "linux.uidMappings[0]",
		`"linux": {"uidMappings": [` + strings.TrimSuffix(strings.Repeat(`{"size": 1},`, 341), ",") + `]}`:                   "linux.uidMappings[1]",
	} {
		t.Run(asked, func(t *testing.T) {
			packaged, err := parseSpec([]byte(`{"process": {"args": ["a"]}, ` + asked + `}`))
			must(t, err)
			plan := testPlan("/rootfs")
			plan.IDs = severalIDs()
			spec, err := plan.Spec(packaged)
			switch {
			case place == "" && err == nil:
				checkUser(t, plan, packaged, spec)
			case place == "" || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), ": "+place+": refused: "):
				t.Errorf("error %v, want one about %q", err, place)
			}
		})
	}
}

func TestIDsOfAPackage(t *testing.T) {
	for text, want := range map[string]IDMap{
		`{}`: {},
		`{"linux": {"uidMappings": [{"containerID": 5, "hostID": 6, "size": 7}]}}`: {UIDs: []IDRange{{5, 6, 7}}},
		`{"linux": {"uidMappings": [{"hostID": 6, "size": 7}, {"containerID": 7, "hostID": 100, "size": 1}], "gidMappings": [{"size": 1}]}}`: {
			UIDs: []IDRange{{0, 6, 7}, {7, 100, 1}}, GIDs: []IDRange{{0, 0, 1}},
		},
	} {
		spec, err := parseSpec([]byte(text))
		must(t, err)
		if got, err := (&Packaged{Spec: spec}).IDs(); err != nil || !got.Equal(want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	many := &specs.Linux{}
	for i := range uint32(341) {
		many.UIDMappings = append(many.UIDMappings, specs.LinuxIDMapping{ContainerID: i, HostID: i, Size: 1})
	}
	if _, err := (&Packaged{Spec: &specs.Spec{Linux: many}}).IDs(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "linux.uidMappings[340]: ") {
		t.Errorf("341 ranges: %v", err)
	}
	wrong := &Packaged{Spec: &specs.Spec{Linux: &specs.Linux{GIDMappings: []specs.LinuxIDMapping{{Size: 1}, {HostID: 1}}}}}
	if ids, err := wrong.IDs(); !errors.Is(err, ErrRefused) || !strings.HasPrefix(err.Error(), "config.json: linux.gidMappings[1]: ") || ids.UIDs != nil {
		t.Errorf("%+v, %v", ids, err)
	}
}

func TestSpecOfAWrongPlan(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"root":             func(p *Plan) { p.IDs = SingleID(0, 1) },
		"root's group":     func(p *Plan) { p.IDs = SingleID(1, 0) },
		"no user":          func(p *Plan) { p.IDs = IDMap{} },
		"root among many":  func(p *Plan) { p.IDs.UIDs = append(p.IDs.UIDs, IDRange{1, 0, 1}) },
		"groups overlap":   func(p *Plan) { p.IDs.GIDs = []IDRange{{0, 7, 2}, {1, 100, 1}} },
		"too many ids":     func(p *Plan) { p.IDs.UIDs = []IDRange{{0, 7, 1}, {1, 2, math.MaxUint32}} },
		"relative overlay": func(p *Plan) { o := overlayIn("var", "/opt/web"); p.Overlay = &o },
		"long overlay":     func(p *Plan) { p.Overlay = testOverlay("/opt"); p.Overlay.Work += strings.Repeat("x", 256) },
		"not UTF-8":        func(p *Plan) { p.Rootfs = "/\xff" },
		"relative rootfs":  func(p *Plan) { p.Rootfs = "rootfs" },
		"unclean rootfs":   func(p *Plan) { p.Rootfs = "/a/../b" },
		"no network":       func(p *Plan) { p.Network = "" },
		"cgroup":           func(p *Plan) { p.CgroupsPath = "system.slice:x:y" },
		"mount on root":    func(p *Plan) { p.Mounts = []Mount{{Source: "/a", Target: "/"}} },
		"mount in proc":    func(p *Plan) { p.Mounts = []Mount{{Source: "/a", Target: "/proc/1"}} },
		"traversing":       func(p *Plan) { p.Mounts = []Mount{{Source: "/a/../b", Target: "/a"}} },
		"mount in dev":     func(p *Plan) { p.Mounts = []Mount{{Source: "/a", Target: "/dev/"}} },
		"relative source":  func(p *Plan) { p.Mounts = []Mount{{Source: "a", Target: "/a"}} },
		"no name":          func(p *Plan) { p.Env = []string{"secret-value"} },
		"relative init":    func(p *Plan) { p.Init = "gatewayd" },
		"relative package": func(p *Plan) { p.Bundle = "." },
		"no capability":    func(p *Plan) { p.Given.Capabilities = []string{"KILL"} },
		"nothing masked":   func(p *Plan) { p.Given.Unmask = []string{"/etc"} },
		"no limit":         func(p *Plan) { p.Limits = []specs.POSIXRlimit{{Type: "nproc"}} },
		"soft above hard":  func(p *Plan) { p.Limits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 1}} },
	} {
		t.Run(name, func(t *testing.T) {
			plan := testPlan("/rootfs")
			plan.Args = []string{"/bin/web"}
			if _, err := plan.Spec(nil); err != nil {
				t.Fatal(err)
			}
			change(&plan)
			_, err := plan.Spec(nil)
			if err == nil || errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "secret-value") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestHostFilesAreBoundWhereTheTreeHasNone(t *testing.T) {
	for name, c := range map[string]struct {
		make func(etc string) error
		want string // where resolv.conf is mounted
	}{
		"absent":       {func(string) error { return nil }, "/etc/resolv.conf"},
		"empty":        {func(etc string) error { return os.WriteFile(etc+"/resolv.conf", nil, 0o644) }, "/etc/resolv.conf"},
		"own":          {func(etc string) error { return os.WriteFile(etc+"/resolv.conf", []byte("nameserver ::1\n"), 0o644) }, ""},
		"dangling":     {func(etc string) error { return os.Symlink("../run/resolv.conf", etc+"/resolv.conf") }, "/run/resolv.conf"},
		"dangling out": {func(etc string) error { return os.Symlink("../../../run/resolv.conf", etc+"/resolv.conf") }, "/run/resolv.conf"},
		"absolute":     {func(etc string) error { return os.Symlink("/run/resolv.conf", etc+"/resolv.conf") }, "/run/resolv.conf"},
		"into proc":    {func(etc string) error { return os.Symlink("/proc/resolv.conf", etc+"/resolv.conf") }, ""},
		"link to own": {func(etc string) error {
			return errors.Join(os.WriteFile(etc+"/own", []byte("x"), 0o644), os.Symlink("/etc/own", etc+"/resolv.conf"))
		}, ""},
		"directory": {func(etc string) error { return os.Mkdir(etc+"/resolv.conf", 0o755) }, ""},
		"loop":      {func(etc string) error { return os.Symlink("resolv.conf", etc+"/resolv.conf") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, rootfs := testHost(t), scratch(t)
			must(t, os.Mkdir(rootfs+"/etc", 0o755), c.make(rootfs+"/etc"))
			copied, overlaid := testPlan(rootfs), testPlan("")
			overlaid.Overlay = testOverlay(rootfs)
			for _, plan := range []Plan{copied, overlaid} {
				plan.Args = []string{"/bin/web"}
				spec, err := plan.specOn(h, nil)
				must(t, err)
				got := ""
				for _, m := range spec.Mounts {
					if m.Source == h.etc+"/resolv.conf" {
						got = m.Destination
					}
				}
				if got != c.want {
					t.Errorf("mounted at %q, want %q", got, c.want)
				}
			}
		})
	}
}
