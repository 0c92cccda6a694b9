package bundle

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// The specs are given to real runtimes, and the kernel is asked what became of
// them.
func TestRuntimesTakeTheSpec(t *testing.T) {
	for _, runtime := range []string{"youki", "crun", "runc"} {
		t.Run(runtime, func(t *testing.T) {
			path := testenv.Runtime(t, runtime)
			t.Run("host network", func(t *testing.T) { runHostNetwork(t, path) })
			t.Run("no network", func(t *testing.T) { runNoNetwork(t, path) })
			t.Run("given back", func(t *testing.T) { runGiven(t, path) })
		})
	}
}

func runHostNetwork(t *testing.T, runtime string) {
	c := newContainer(t, runtime)
	must(t, os.MkdirAll(filepath.Join(c.dir, "rw"), 0o777), os.MkdirAll(filepath.Join(c.dir, "ro"), 0o777),
		os.Chmod(filepath.Join(c.dir, "rw"), 0o777), os.Chmod(filepath.Join(c.dir, "ro"), 0o777))
	c.plan.Network = NetworkHost
	c.plan.Mounts = []Mount{{Source: filepath.Join(c.dir, "rw"), Target: "/rw"}, {Source: filepath.Join(c.dir, "ro"), Target: "/ro", ReadOnly: true}}
	c.plan.Env = []string{"COLOUR=red", "PATH=/"}
	report, status := c.run(nil)
	wantLines(t, report, "hostname "+c.plan.ID, "cwd /", "pid 1", "Uid: 0", "Gid: 0", "export COLOUR='red'", "export PATH='/'",
		"write /written: true", "write /tmp/written: true", "write /dev/shm/written: true", "write /rw/written: true",
		"write /ro/written: false", "write /sys/written: false", "write /proc/sys/kernel/hostname: false",
		"read /proc/interrupts: false", "read /etc/hosts: true")
	hardened(t, status)
	wantMapping(t, status, 0, int(c.plan.IDs.UIDs[0].Host))
}

func runNoNetwork(t *testing.T, runtime string) {
	c := newContainer(t, runtime)
	c.plan.Network, c.plan.ReadOnly, c.plan.Tmp, c.plan.Init = NetworkNone, true, 1<<20, filepath.Join(c.dir, "init")
	must(t, os.WriteFile(c.plan.Init, []byte("#!/bin/sh\n[ \"$1 $2\" = 'init --' ] && shift 2 && exec \"$@\"\n"), 0o755))
	report, status := c.run(&specs.Spec{
		Process:  &specs.Process{User: specs.User{UID: 1000, GID: 1001}, Cwd: "/home", Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Hard: 1 << 60, Soft: 777}}},
		Hostname: "packaged",
		Mounts:   []specs.Mount{{Destination: "/home", Type: "tmpfs", Source: "tmpfs", Options: []string{"size=1m", "mode=700"}}},
	})
	wantLines(t, report, "hostname packaged", "cwd /home", "pid 1", "Uid: 0", "Gid: 0", "write /home/written: true",
		"write /written: false", "write /tmp/written: true", "write /sys/written: false", "read /proc/interrupts: false", "read /etc/hosts: false")
	hardened(t, status)
	wantMapping(t, status, 0, int(c.plan.IDs.UIDs[0].Host))
	if !strings.Contains(status["limits"], "Max core file size        777 ") {
		t.Errorf("limits %s", status["limits"])
	}
}

// What a plan gives back the program has, and no more.
func runGiven(t *testing.T, runtime string) {
	c := newContainer(t, runtime)
	c.plan.Network, c.plan.Tmp = NetworkNone, 1<<20
	c.plan.Given = Given{[]string{"CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"}, true, []string{"/proc/interrupts", "/proc/sys"}}
	processes := uint64(7)
	if filepath.Base(runtime) == "crun" && os.Getuid() != 0 {
		processes = 3000 // crun 1.8 is under the limit itself, beside all else that the user runs
	}
	c.plan.Limits = []specs.POSIXRlimit{{Type: "RLIMIT_NPROC", Hard: processes, Soft: processes}, {Type: "RLIMIT_NOFILE", Hard: 99, Soft: 99}}
	report, status := c.run(nil)
	wantLines(t, report, "read /proc/interrupts: true", "write /tmp/written: true")
	const bindAndChroot = "0000000000040400"
	for set, want := range map[string]string{
		"CapInh": "0000000000000000", "CapPrm": bindAndChroot, "CapEff": bindAndChroot, "CapBnd": bindAndChroot, "CapAmb": "0000000000000000",
		"NoNewPrivs": "0", "Seccomp": "2",
	} {
		if status[set] != want {
			t.Errorf("%s %q, want %q", set, status[set], want)
		}
	}
	for _, limit := range []string{fmt.Sprintf("Max processes %d %[1]d processes", processes), "Max open files 99 99 files"} {
		if !strings.Contains(strings.Join(strings.Fields(status["limits"]), " "), limit) {
			t.Errorf("no %q in\n%s", limit, status["limits"])
		}
	}
	if strings.Contains(status["mountinfo"], " /proc/sys ro") || !strings.Contains(status["mountinfo"], " /proc/bus ro") {
		t.Errorf("mounts\n%s", status["mountinfo"])
	}
}

func wantLines(t *testing.T, report string, want ...string) {
	t.Helper()
	lines := strings.Split(report, "\n")
	for _, line := range want {
		if !slices.Contains(lines, line) {
			t.Errorf("no line %q in\n%s", line, report)
		}
	}
}

func hardened(t *testing.T, status map[string]string) {
	t.Helper()
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if status[set] != "0000000000000000" {
			t.Errorf("%s %q", set, status[set])
		}
	}
	if status["NoNewPrivs"] != "1" || status["Seccomp"] != "2" {
		t.Errorf("NoNewPrivs %q Seccomp %q", status["NoNewPrivs"], status["Seccomp"])
	}
}

func wantMapping(t *testing.T, status map[string]string, inside, outside int) {
	t.Helper()
	if got, want := strings.Fields(status["uid_map"]), []string{fmt.Sprint(inside), fmt.Sprint(outside), "1"}; !slices.Equal(got, want) {
		t.Errorf("uid_map %v, want %v", got, want)
	}
}

// A container is one run of the payload by a runtime.
type container struct {
	t            *testing.T
	dir, runtime string
	plan         Plan
	report       *os.File   // what the payload writes, from create on
	namespace    *Namespace // in which create is called; nil: none
}

func newContainer(t *testing.T, runtime string) *container {
	t.Helper()
	dir := scratch(t)
	must(t, os.Chmod(dir, 0o711))
	id, rootfs, err := MakeDir(dir, "gw", 1, 0o755)
	must(t, err)
	must(t, os.Mkdir(filepath.Join(rootfs, "tmp"), 0o755))
	installShell(t, rootfs)
	seccomp, err := DefaultSeccomp()
	must(t, err)
	c := &container{t: t, dir: dir, runtime: runtime, plan: Plan{
		ID: id, Rootfs: rootfs, Args: []string{"/bin/sh", "/payload"}, Seccomp: seccomp, IDs: SingleID(os.Getuid(), os.Getgid()),
	}}
	if os.Getuid() == 0 {
		c.plan.IDs = SingleID(65532, 65532)
		for _, path := range []string{rootfs, filepath.Join(rootfs, "tmp")} {
			must(t, os.Chown(path, 65532, 65532))
		}
	}
	if unified() || os.Getuid() != 0 {
		c.plan.CgroupsPath = leaf(t, id)
	}
	return c
}

// unified: where version 1 is mounted, too, root's runtimes find their own way.
func unified() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.procs")
	return err == nil
}

// leaf makes a cgroup for a container in our own one of version 2,
// beside which /proc/self/cgroup may name some of version 1.
func leaf(t *testing.T, id string) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/cgroup")
	must(t, err)
	_, own, found := strings.Cut("\n"+string(data), "\n0::")
	own, _, _ = strings.Cut(own, "\n")
	path := filepath.Join("/", own, id)
	if !found || os.Mkdir("/sys/fs/cgroup"+path, 0o755) != nil {
		testenv.Skip(t, "needs a delegated cgroup v2: run it in the test host (make test)")
	}
	t.Cleanup(func() { os.Remove("/sys/fs/cgroup" + path) })
	return path
}

func (c *container) call(args ...string) error {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	log := filepath.Join(c.dir, args[0]+".log")
	argv := c.argv(log, args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "XDG_RUNTIME_DIR=" + os.Getenv("XDG_RUNTIME_DIR"), "DBUS_SESSION_BUS_ADDRESS=" + os.Getenv("DBUS_SESSION_BUS_ADDRESS")}
	out, err := os.CreateTemp(c.dir, "out")
	must(c.t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if args[0] == "create" {
		r, w, err := os.Pipe()
		must(c.t, err)
		if os.Getuid() == 0 {
			uid, gid, _ := c.plan.IDs.Root()
			must(c.t, w.Chown(uid, gid))
		}
		defer w.Close()
		cmd.Stdout = w
		c.t.Cleanup(func() { r.Close() })
		c.report = r
	}
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		logged, _ := os.ReadFile(log)
		return fmt.Errorf("%s %s: %w\n%s\n%s", c.runtime, args[0], err, said, logged)
	}
	return nil
}

// argv is a call of the runtime. crun refuses a machine that mounts cgroup v1
// and v2 side by side, so there it sees v2 alone.
func (c *container) argv(log string, args ...string) []string {
	argv := append([]string{c.runtime, "--root", filepath.Join(c.dir, "state"), "--log", log}, args...)
	if c.namespace != nil && args[0] == "create" {
		return append([]string{"/usr/bin/nsenter", "-t", strconv.Itoa(c.namespace.Pid), "-U", "-S", "0", "-G", "0", "--"}, argv...)
	}
	if unified() || filepath.Base(c.runtime) != "crun" {
		return argv
	}
	argv = slices.Insert(argv, 1, "--cgroup-manager", "disabled")
	return append([]string{"/usr/bin/unshare", "--mount", "/bin/sh", "-c", `mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@"`}, argv...)
}

// run runs the payload and returns what it said and what the kernel says of it.
func (c *container) run(packaged *specs.Spec) (report string, status map[string]string) {
	c.t.Helper()
	spec, err := c.plan.Spec(packaged)
	must(c.t, err)
	bundle, pidFile := filepath.Join(c.dir, "bundle"), filepath.Join(c.dir, "pid")
	must(c.t, os.MkdirAll(bundle, 0o700), WriteConfig(bundle, spec))
	c.t.Cleanup(func() { must(c.t, c.call("delete", "--force", c.plan.ID)) })
	must(c.t, c.call("create", "--bundle", bundle, "--pid-file", pidFile, c.plan.ID))
	must(c.t, ScrubConfig(bundle)) // from here on nobody reads it
	must(c.t, c.call("start", c.plan.ID))
	pid, err := os.ReadFile(pidFile)
	must(c.t, err)
	lines := bufio.NewScanner(c.report)
	for lines.Scan() && lines.Text() != "end of report" {
		report += lines.Text() + "\n"
	}
	return report, procStatus(c.t, string(bytes.TrimSpace(pid)))
}

func procStatus(t *testing.T, pid string) map[string]string {
	t.Helper()
	status := map[string]string{}
	data, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	must(t, err)
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		status[name] = strings.TrimSpace(value)
	}
	for _, name := range []string{"uid_map", "limits", "mountinfo"} {
		data, err := os.ReadFile(filepath.Join("/proc", pid, name))
		must(t, err)
		status[name] = string(data)
	}
	return status
}
