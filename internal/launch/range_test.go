package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/testenv"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// rangeSuite is what containers with several ids must do.
func rangeSuite(t *testing.T, name, path string) {
	stages := []string{"copy range", "overlay range"}
	if name == "crun" {
		stages = stages[:1]
	}
	for _, stage := range stages {
		open := func(t *testing.T) *bench {
			needRange(t)
			b := overlayBench(t, path)
			b.staging = stagingOf(stage)
			if b.staging.Stage != "copy" {
				finds(t, b.Host, true)
			}
			return b
		}
		for name, test := range map[string]func(*testing.T, *bench){
			"becomes another":  suiteBecome,
			"secret files":     suiteSecretFiles,
			"secret, another":  suiteRangeSecret,
			"crash":            suiteRangeCrash,
			"exec probe":       suiteRangeProbe,
			"packaged user":    suiteRangeUser,
			"packaged range":   suiteRangeMappings,
			"cut":              suiteCutPrepare,
			"refused":          suiteRangeRefused,
			"program missing":  suiteMissingProgram,
			"clean, never ran": suiteCleanCreated,
			"inherit":          suiteInherit,
			"proxy":            suiteProxySocket,
			"proxy, closed":    suiteProxyClosed,
		} {
			t.Run(strings.ReplaceAll(stage, " ", "/")+"/"+name, func(t *testing.T) { test(t, open(t)) })
		}
	}
}

// needRange sees to it that root of the test host has the line that youki needs
// beside its subordinate ids.
func needRange(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		testenv.NeedHost(t)
		for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
			data, err := os.ReadFile(file)
			must(t, err)
			if !strings.Contains("\n"+string(data), "\nroot:65532:") {
				must(t, os.WriteFile(file, append(data, "root:65532:1\n"...), 0o644))
			}
		}
	}
	testenv.NeedRange(t)
}

const becomeAnother = "become another"

// becoming is a gateway that becomes another user.
func becoming(source, self string) config.Gateway {
	g := gatewayOn(source, "/prog", "program", "become", "/data")
	g.Mounts = append(g.Mounts, config.Mount{Source: self, Target: "/prog", ReadOnly: true}, config.Mount{Source: "data", Target: "/data"})
	return g
}

func (b *bench) becoming() config.Gateway {
	b.t.Helper()
	g := becoming(b.source(), reachableSelf())
	g.Staging = b.staging
	return g
}

// hostIDs are the ids on the host of one of the container's.
func (b *bench) hostIDs(container uint32) (uid, gid int) {
	b.t.Helper()
	ids, err := RangeIDs()
	must(b.t, err)
	hostUID, _ := ids.HostUID(container)
	hostGID, _ := ids.HostGID(container)
	return int(hostUID), int(hostGID)
}

// A server begins as root and becomes its own user. What that one made is
// removed like anything else, but for its data.
func suiteBecome(t *testing.T, b *bench) {
	r := b.startReady(b.becoming())
	if texts := b.out.texts(r.id()); !slices.Contains(texts, "is 101 101 [101]") {
		t.Errorf("output = %q", texts)
	}
	uid, gid := b.hostIDs(another)
	if got := status(t, r.pid(), "Uid") + status(t, r.pid(), "Gid"); got != fmt.Sprintf("%d\t%[1]d\t%[1]d\t%[1]d%d\t%[2]d\t%[2]d\t%[2]d", uid, gid) {
		t.Errorf("ids on the host: %q, want %d and %d", got, uid, gid)
	}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		if got := status(t, r.pid(), set); got != "0000000000000000" {
			t.Errorf("%s = %s", set, got)
		}
	}
	if info := r.Info(r.n); info.IDs != "range" {
		t.Errorf("info = %+v", info)
	}
	r.clean()
	b.nothingLeft(t)
	info, err := os.Stat(b.Dirs.Data(gatewayName))
	must(t, err)
	if ownerOf(info) != uid {
		t.Errorf("the data belong to %d", ownerOf(info))
	}
	r = b.startReady(b.becoming()) // with the same data
	if texts := b.out.texts(r.id()); !slices.Contains(texts, `kept "precious"`) {
		t.Errorf("output of the next launch = %q", texts)
	}
	single := b.becoming()
	single.Staging.IDs = "single"
	if err := b.refused(t.Context(), single); !errors.Is(err, supervisor.ErrPermanent) || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("with a single id the data of another are taken: %v", err)
	}
	b.removeData(t)
}

// removeData removes what another id has made, as an operator has to.
func (b *bench) removeData(t *testing.T) {
	t.Helper()
	must(t, bundle.Remove(t.Context(), filepath.Dir(b.Dirs.Data(gatewayName)), gatewayName, removal()))
}

// The next gatewayd knows nothing of the launch, and removes what other ids made.
// The program may have ended by itself: what it wrote to was closed under it.
func suiteRangeCrash(t *testing.T, b *bench) {
	b.killed(t, b.path, "started", becomeAnother, nil)
	if ids := b.swept(t); len(ids) != 1 || !isID(ids[0]) {
		t.Errorf("swept = %q, want one launch", ids)
	}
	b.removeData(t)
}

func suiteRangeProbe(t *testing.T, b *bench) {
	g := b.becoming()
	g.Ready.Probe = execProbe("/bin/sh", "-c", "id -u; cat /proc/self/uid_map; grep -E '^(Cap|NoNew|Seccomp:|Groups)' /proc/self/status; exit 9")
	r := b.startReady(g)
	err := r.Probe(t.Context(), r.n)
	if err == nil {
		t.Fatal("a probe that exits with 9 succeeds")
	}
	for _, want := range []string{"exit code 9", "NoNewPrivs:\\t1", "Seccomp:\\t2", "CapPrm:\\t0000000000000000",
		"CapEff:\\t0000000000000000", "CapBnd:\\t0000000000000000", "CapAmb:\\t0000000000000000", "65536"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the probe says %v, not %q", err, want)
		}
	}
	g.Ready.Probe = execProbe("/bin/sh", "-c", "[ -e /packaged ] && [ -d /cache ]")
	r.clean()
	r = b.startReady(g)
	must(t, r.Probe(t.Context(), r.n))
	b.removeData(t)
}

// packaged makes a bundle with this process.user and these mappings.
func (b *bench) packaged(user specs.User, mappings ...specs.LinuxIDMapping) config.Gateway {
	b.t.Helper()
	dir := filepath.Join(b.dir, "bundle")
	must(b.t, os.Mkdir(dir, 0o755))
	must(b.t, makeSource(filepath.Join(dir, "rootfs")))
	if b.staging.Stage != "copy" {
		b.give(filepath.Join(dir, "rootfs"))
	}
	spec := specs.Spec{
		Version: "1.0.2", Root: &specs.Root{Path: "rootfs"},
		Process: &specs.Process{Args: []string{"/bin/sh", "-c", "id -u; id -g; cat /packaged; stat -c %u /packaged"}, Cwd: "/", User: user},
		Linux:   &specs.Linux{UIDMappings: mappings, GIDMappings: mappings},
	}
	data, err := json.Marshal(spec)
	must(b.t, err)
	must(b.t, os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644))
	g := b.gateway("")
	g.Rootfs, g.Bundle, g.Command, g.Workdir = "", dir, nil, ""
	return g
}

func suiteRangeUser(t *testing.T, b *bench) {
	if got := b.output(b.packaged(specs.User{UID: another, GID: another})); !slices.Equal(got, []string{"101", "101", "from the source", "0"}) {
		t.Errorf("output = %q", got)
	}
}

// A package brings the mappings of another machine, which become those of this
// one; what does not fit is refused by its place.
func suiteRangeMappings(t *testing.T, b *bench) {
	mappings := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 5000, Size: 1}, {ContainerID: 1, HostID: 700000, Size: 2000}}
	g := b.packaged(specs.User{UID: 33, GID: 33}, mappings...)
	if g.Staging.Stage == "overlay" { // the owners of its files would have to change
		if err := b.refused(t.Context(), g); !errors.Is(err, supervisor.ErrPermanent) || !strings.Contains(err.Error(), "only a copy") {
			t.Errorf("error = %v", err)
		}
		g.Staging.Stage = "auto"
	}
	if got := b.output(g); !slices.Equal(got, []string{"33", "33", "from the source", "0"}) {
		t.Errorf("output = %q", got)
	}
	must(t, os.RemoveAll(g.Bundle))
	tooWide := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 700000, Size: 1 << 20}}
	wide := b.packaged(specs.User{}, tooWide...)
	wide.Staging.Stage = g.Staging.Stage
	err := b.refused(t.Context(), wide)
	if !errors.Is(err, supervisor.ErrPermanent) || !strings.Contains(err.Error(), "linux.uidMappings") {
		t.Errorf("error = %v", err)
	}
}

// Without ids the launch is refused before there is a container, and says what
// is missing where. A user has no way to lose them here.
func suiteRangeRefused(t *testing.T, b *bench) {
	testenv.NeedRoot(t)
	b.refusedWithout(t, "root:", "/etc/subuid") // all of them
	r, err := b.Runtime(t.Context())
	must(t, err)
	if r.Name() == "youki" {
		b.refusedWithout(t, "root:65532:", "root:65532:1")
	}
	b.nothingLeft(t)
}

// refusedWithout takes from root of the test host the lines that begin so.
func (b *bench) refusedWithout(t *testing.T, lines, want string) {
	t.Helper()
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		data, err := os.ReadFile(file)
		must(t, err)
		without := strings.ReplaceAll(string(data), lines, "nobody:"+strings.TrimPrefix(lines, "root:"))
		must(t, os.WriteFile(file, []byte(without), 0o644))
		defer func() { must(t, os.WriteFile(file, data, 0o644)) }()
	}
	err := b.refused(t.Context(), b.gateway("echo never"))
	if !errors.Is(err, supervisor.ErrPermanent) || !errors.Is(err, bundle.ErrNoRange) || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want one that says %q", err, want)
	}
}
