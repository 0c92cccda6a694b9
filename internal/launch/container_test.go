package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// containerSuite is what only a real container can show.
func containerSuite(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *bench){
		"tmp":                    suiteTmp,
		"posture":                suitePosture,
		"environment":            suiteEnvironment,
		"fresh tree":             suiteFreshTree,
		"closed directories":     suiteClosedDirectories,
		"unreadable source":      suiteUnreadableSource,
		"mounts":                 suiteMounts,
		"packaged bundle":        suiteBundle,
		"read-only root":         suiteReadOnly,
		"no network":             suiteNoNetwork,
		"init":                   suiteInit,
		"output by its path":     suiteOutputPath,
		"probes":                 suiteProbes,
		"exec probe":             suiteExecProbe,
		"namespace":              suiteNamespace,
		"exec probe's filter":    suiteExecProbeFilter,
		"exec probe, no filter":  suiteExecProbeBadFilter,
		"exec probe that hangs":  suiteExecProbeHangs,
		"leaks":                  suiteLeaks,
		"another image, probed":  suiteImageIsProbed,
		"secret files":           suiteSecretFiles,
		"secret, read-only root": suiteSecretReadOnly,
		"secret, another image":  suiteSecretImage,
		"secret, rewritten":      suiteSecretRewrite,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// What isolates the program is read from the kernel, not from the spec.
func suitePosture(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("echo ready; exec sleep 1000"))
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if got := status(t, r.pid(), set); got != "0000000000000000" {
			t.Errorf("%s = %s", set, got)
		}
	}
	if got := status(t, r.pid(), "NoNewPrivs") + status(t, r.pid(), "Seccomp"); got != "12" {
		t.Errorf("NoNewPrivs and Seccomp = %s, want 1 and 2", got)
	}
	for _, ns := range []string{"user", "pid", "mnt", "ipc", "uts", "cgroup"} {
		if namespace(t, r.pid(), ns) == namespace(t, os.Getpid(), ns) {
			t.Errorf("%s namespace is the host's", ns)
		}
	}
	if namespace(t, r.pid(), "net") != namespace(t, os.Getpid(), "net") {
		t.Error("network namespace is not the host's")
	}
	uid, gid := b.ids()
	for file, id := range map[string]int{"uid_map": uid, "gid_map": gid} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", r.pid(), file))
		must(t, err)
		if got := strings.Join(strings.Fields(string(data)), " "); got != fmt.Sprintf("0 %d 1", id) {
			t.Errorf("%s = %q", file, got)
		}
	}
	if b.Cgroup != nil {
		inLeaf(t, r.pid(), b, r.id())
	}
	masked := b.output(b.gateway(`[ -z "$(cat /proc/kcore 2>/dev/null | head -c 1)" ] && echo masked; touch /proc/sys/kernel/hostname 2>/dev/null || echo read-only`))
	if !slices.Equal(masked, []string{"masked", "read-only"}) {
		t.Errorf("/proc of the container: %q", masked)
	}
}

// inLeaf fails for a process that is not in the cgroup of the launch id.
func inLeaf(t *testing.T, pid int, b *bench, id string) {
	t.Helper()
	cgroup, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	must(t, err)
	if want := "0::" + b.Cgroup.Path() + "/" + id + "\n"; !strings.HasSuffix(string(cgroup), want) {
		t.Errorf("cgroup of %d = %q, want %q", pid, cgroup, want)
	}
}

func namespace(t *testing.T, pid int, kind string) string {
	t.Helper()
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	must(t, err)
	return link
}

func suiteEnvironment(t *testing.T, b *bench) {
	t.Setenv("PASSED", "on")
	t.Setenv("TOKEN", "secret")
	t.Setenv("BLANK", " ")
	t.Setenv("OTHER", "of gatewayd alone")
	g := b.gateway("")
	g.Command = []string{"/usr/bin/env"}
	g.Env = config.Env{Static: map[string]string{"LOG": "info", "EMPTY": ""}, Pass: []string{"BLANK", "PASSED", "NOT_SET"}, Required: []string{"TOKEN"}}
	got := b.output(g)
	got = slices.DeleteFunc(got, func(line string) bool { return strings.HasPrefix(line, "HOME=") }) // of runc
	slices.Sort(got)
	want := []string{"EMPTY=", "GATEWAYD_LAUNCH=1", "LOG=info", "PASSED=on", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TOKEN=secret"}
	if !slices.Equal(got, want) {
		t.Errorf("environment = %q, want %q", got, want)
	}
}

// Each launch begins with the tree of the source, which no launch can change.
func suiteFreshTree(t *testing.T, b *bench) {
	before := snapshot(t, b.source())
	g := b.gateway("[ -e /written ] && echo stale; cat /packaged; echo mine >/written; echo changed >/packaged; rm -r /tmp")
	g.Isolation.Tmp = 0 // its own /tmp could not be removed
	for range 2 {
		if got := b.output(g); !slices.Equal(got, []string{"from the source"}) {
			t.Errorf("output = %q", got)
		}
	}
	if after := snapshot(t, b.source()); after != before {
		t.Errorf("the source was %s\nand is now %s", before, after)
	}
}

// What is in the tree's /tmp is hidden by one in memory, which has an end, unless
// the configuration wants the tree's.
func suiteTmp(t *testing.T, b *bench) {
	const fill = `grep -c "^tmpfs /tmp tmpfs " /proc/mounts; head -c 2000000 /dev/zero >/tmp/file 2>/dev/null || echo full`
	g := b.gateway(fill)
	g.Isolation.Tmp = 1 << 20
	if got := b.output(g); !slices.Equal(got, []string{"1", "full"}) {
		t.Errorf("in memory: %q", got)
	}
	g.Isolation.Tmp = 0
	if got := b.output(g); !slices.Equal(got, []string{"0"}) {
		t.Errorf("of the root: %q", got)
	}
}

func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		info, statErr := os.Lstat(path)
		if err = errors.Join(err, statErr); err != nil {
			return err
		}
		fmt.Fprintln(&text, path, info.Mode(), info.ModTime(), ownerOf(info))
		return nil
	}))
	return text.String()
}

func suiteClosedDirectories(t *testing.T, b *bench) {
	b.output(b.gateway("mkdir -p /closed/in/side && echo x >/closed/in/file && chmod 0000 /closed/in/file /closed/in /closed"))
	b.nothingLeft(t)
}

// What the user owns and cannot read is staged by a helper, with its modes.
func suiteUnreadableSource(t *testing.T, b *bench) {
	closed := filepath.Join(b.source(), "closed")
	must(t, os.Mkdir(closed, 0o700))
	must(t, os.WriteFile(filepath.Join(closed, "file"), []byte("within\n"), 0o600))
	if b.staging.Stage != "copy" {
		b.give(closed)
	}
	must(t, os.Chmod(closed, 0))
	t.Cleanup(func() { _ = os.Chmod(closed, 0o700) })
	got := b.output(b.gateway("stat -c %a /closed; chmod 700 /closed && cat /closed/file"))
	if !slices.Equal(got, []string{"0", "within"}) {
		t.Errorf("output = %q", got)
	}
}

func suiteMounts(t *testing.T, b *bench) {
	shared := filepath.Join(b.dir, "shared")
	must(t, os.Mkdir(shared, 0o777))
	must(t, os.Chmod(shared, 0o777))
	g := b.gateway("cat /var/lib/web/count 2>/dev/null; echo x >>/var/lib/web/count; " +
		"touch /shared/new && echo shared; touch /closed/new 2>/dev/null || echo refused")
	g.Mounts = append(g.Mounts, config.Mount{Source: "data", Target: "/var/lib/web"},
		config.Mount{Source: shared, Target: "/shared"}, config.Mount{Source: shared, Target: "/closed", ReadOnly: true})
	for _, want := range [][]string{{"shared", "refused"}, {"x", "shared", "refused"}} {
		if got := b.output(g); !slices.Equal(got, want) {
			t.Errorf("output = %q, want %q", got, want)
		}
	}
	info, err := os.Stat(b.Dirs.Data(gatewayName))
	must(t, err)
	if uid, _ := b.ids(); ownerOf(info) != uid || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v of uid %d", info.Mode(), ownerOf(info))
	}
}

// Of a package, args, cwd, env and mounts hold unless the configuration sets them.
func suiteBundle(t *testing.T, b *bench) {
	dir := filepath.Join(b.dir, "bundle")
	must(t, os.Mkdir(dir, 0o755))
	must(t, makeSource(filepath.Join(dir, "rootfs")))
	if b.staging.Stage != "copy" {
		b.give(filepath.Join(dir, "rootfs"))
	}
	must(t, os.Mkdir(filepath.Join(dir, "extra"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "extra", "file"), []byte("beside the tree\n"), 0o644))
	spec := specs.Spec{
		Version: "1.0.2", Root: &specs.Root{Path: "rootfs"},
		Process: &specs.Process{
			Args: []string{"/bin/sh", "-c", "pwd; echo $COLOUR $LOG; cat /extra/file; touch /scratch/x && echo scratch"},
			Cwd:  "/tmp", Env: []string{"COLOUR=red", "LOG=packaged"},
		},
		Mounts: []specs.Mount{
			{Destination: "/extra", Type: "bind", Source: "extra", Options: []string{"rbind"}},
			{Destination: "/scratch", Type: "tmpfs", Source: "tmpfs"},
		},
	}
	data, err := json.Marshal(spec)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644))
	g := b.gateway("")
	g.Rootfs, g.Bundle, g.Command, g.Workdir = "", dir, nil, ""
	g.Env.Static = map[string]string{"LOG": "info"}
	if got := b.output(g); !slices.Equal(got, []string{"/tmp", "red info", "beside the tree", "scratch"}) {
		t.Errorf("packaged: %q", got)
	}
	g.Command, g.Workdir = []string{"/bin/sh", "-c", "pwd"}, "/etc"
	if got := b.output(g); !slices.Equal(got, []string{"/etc"}) {
		t.Errorf("configured: %q", got)
	}
	spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/bin/true"}}}
	data, err = json.Marshal(spec)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644))
	if err := b.refused(t.Context(), g); !errors.Is(err, supervisor.ErrPermanent) {
		t.Errorf("a package with hooks: %v", err)
	}
}

func suiteReadOnly(t *testing.T, b *bench) {
	g := b.gateway("touch /new 2>/dev/null || echo refused; touch /tmp/new && echo tmp")
	g.Isolation.ReadOnly = true
	if got := b.output(g); !slices.Equal(got, []string{"refused", "tmp"}) {
		t.Errorf("output = %q", got)
	}
}

func suiteNoNetwork(t *testing.T, b *bench) {
	host, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = host.Close() }()
	reach := fmt.Sprintf("(exec 3<>/dev/tcp/127.0.0.1/%d) 2>/dev/null && echo reached; ", host.Addr().(*net.TCPAddr).Port)
	g := b.gateway("")
	g.Command = []string{"/bin/bash", "-c", reach + "cd /sys/class/net && echo $(ls) $(cat lo/flags)"}
	g.Isolation.Network = "none"
	if got := b.output(g); !slices.Equal(got, []string{"lo 0x9"}) { // IFF_UP and IFF_LOOPBACK
		t.Errorf("without a network: %q", got)
	}
	g.Isolation.Network, g.Command[2] = "host", reach
	if got := b.output(g); !slices.Equal(got, []string{"reached"}) {
		t.Errorf("in the host's network: %q", got)
	}
}

func suiteInit(t *testing.T, b *bench) {
	withInit := func(script string) config.Gateway {
		g := b.gateway(script)
		g.Isolation.Init = true
		return g
	}
	for script, want := range map[string]supervisor.Exit{
		"exit 7":        {Code: 7},
		"exit 143":      {Code: 143},
		"kill -TERM $$": {Signal: syscall.SIGTERM},
	} {
		if exit := b.start(withInit(script)).exit(); exit != want {
			t.Errorf("%s: exit = %+v, want %+v", script, exit, want)
		}
	}
	r := b.startReady(withInit("sh -c 'sleep 0.01 & exec true'; echo ready; exec sleep 1000"))
	waitFor(t, "the end of the orphan, reaped by init", func() bool { return below(r.pid()) == 1 })
	must(t, r.Signal(t.Context(), r.n, syscall.SIGTERM))
	if exit := r.exit(); exit != (supervisor.Exit{Signal: syscall.SIGTERM}) {
		t.Errorf("exit = %+v, want SIGTERM by its default action", exit)
	}
}

// below counts the children of pid, zombies too.
func below(pid int) (n int) {
	for _, p := range processes() {
		if p.parent == pid {
			n++
		}
	}
	return n
}

// The pipes belong to container root, or /dev/stdout cannot be opened.
func suiteOutputPath(t *testing.T, b *bench) {
	got := b.output(b.gateway("echo out >/dev/stdout; echo err >/dev/stderr"))
	slices.Sort(got)
	if !slices.Equal(got, []string{"err", "out"}) {
		t.Errorf("output = %q", got)
	}
}
