package launch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/posture"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// A weak runtime is a real one that leaves out a setting and reports success. It is
// a copy of the test binary with the path of the real one at its end. The file
// "weakness" beside its --root names what it leaves out.
const weakMark = "\x00weak\x00"

// weakRuntime returns in a process that is none.
func weakRuntime() {
	if len(os.Args) < 2 || os.Args[1] != "--root" && os.Args[1] != "--version" {
		return
	}
	program, err := os.ReadFile("/proc/self/exe")
	i := bytes.LastIndex(program, []byte(weakMark))
	if err != nil || i < len(program)-256 {
		return
	}
	real := string(program[i+len(weakMark):])
	args := slices.Concat([]string{real}, os.Args[1:])
	if err := weaken(&args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	fmt.Fprintln(os.Stderr, syscall.Exec(real, args, os.Environ()))
	syscall.Exit(1)
}

func weaken(args *[]string) error {
	at := slices.Index(*args, "create")
	if at < 0 {
		return nil
	}
	root, path := (*args)[2], filepath.Join((*args)[slices.Index(*args, "--bundle")+1], "config.json")
	name, err := os.ReadFile(filepath.Join(filepath.Dir(root), "weakness"))
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec specs.Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return err
	}
	w := weaknesses()[slices.IndexFunc(weaknesses(), func(w weakness) bool { return w.name == string(name) })]
	if w.spec != nil {
		w.spec(&spec)
	}
	if w.leaks != "" {
		fd, err := unix.Open(w.leaks, unix.O_RDONLY, 0) // stays open over execve
		if err != nil || fd != 3 {
			return fmt.Errorf("leak %s as %d: %w", w.leaks, fd, err)
		}
		*args = slices.Insert(*args, at+1, "--preserve-fds", "1")
	}
	if data, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// weakness is one setting that is left out.
type weakness struct {
	name    string
	spec    func(*specs.Spec)
	leaks   string                // a file that the container gets as its descriptor 3
	gateway func(*config.Gateway) // what it takes to promise it
	root    bool                  // a user's runtime can leave it out only by failing
	runc    bool                  // the others do as they are meant to all the same
	only    bool                  // nothing else is to differ
	finds   []string              // what is found to differ
}

func weaknesses() []weakness {
	none := func(g *config.Gateway) { g.Isolation.Network = "none" }
	readOnly := func(g *config.Gateway) { g.Isolation.ReadOnly = true }
	list := []weakness{
		{name: "user map", root: true, gateway: none, spec: func(s *specs.Spec) { s.Linux.UIDMappings[0].HostID = 1001 }, finds: []string{"uid map", "user"}},
		{name: "group map", root: true, only: true, spec: func(s *specs.Spec) { s.Linux.GIDMappings[0].Size = 2 }, finds: []string{"gid map"}},
		{name: "wide map", root: true, spec: func(s *specs.Spec) {
			s.Linux.UIDMappings[0].Size = 2
		}, finds: []string{"uid map"}},
		{name: "bounding", spec: func(s *specs.Spec) { s.Process.Capabilities.Bounding = raw }, finds: []string{"capabilities, bounding"}},
		{name: "permitted and effective", spec: func(s *specs.Spec) {
			c := s.Process.Capabilities
			c.Bounding, c.Permitted, c.Effective = raw, raw, raw
		}, finds: []string{"capabilities, permitted", "capabilities, effective", "capabilities, bounding"}},
		{name: "inheritable", spec: func(s *specs.Spec) {
			c := s.Process.Capabilities
			c.Bounding, c.Permitted, c.Effective, c.Inheritable = raw, raw, raw, raw
		}, finds: []string{"capabilities, inheritable", "capabilities, bounding"}},
		{name: "ambient", spec: func(s *specs.Spec) {
			c := s.Process.Capabilities
			c.Bounding, c.Permitted, c.Effective, c.Inheritable, c.Ambient = raw, raw, raw, raw, raw
		}, finds: []string{"capabilities, ambient"}},
		{name: "no_new_privs", only: true, spec: func(s *specs.Spec) { s.Process.NoNewPrivileges = false }, finds: []string{"no_new_privs"}},
		{name: "seccomp", spec: func(s *specs.Spec) { s.Linux.Seccomp = nil }, finds: []string{"seccomp mode", "seccomp filters"}},
		{name: "ipc namespace", spec: func(s *specs.Spec) {
			without(s, specs.IPCNamespace)
			leaveOut(s, "/dev/mqueue")
		}, finds: []string{"ipc namespace", "mount /dev/mqueue"}},
		{name: "uts namespace", only: true, spec: func(s *specs.Spec) {
			without(s, specs.UTSNamespace)
			s.Hostname = ""
		}, finds: []string{"uts namespace"}},
		{name: "cgroup namespace", only: true, spec: func(s *specs.Spec) { without(s, specs.CgroupNamespace) }, finds: []string{"cgroup namespace"}},
		{name: "network namespace", gateway: none, spec: func(s *specs.Spec) {
			without(s, specs.NetworkNamespace)
			s.Hooks = nil
			bind(s, "/sys", "/sys")
		}, finds: []string{"net namespace"}},
		{name: "pid namespace", spec: func(s *specs.Spec) {
			without(s, specs.PIDNamespace)
			bind(s, "/proc", "/proc")
			s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil
		}, finds: []string{"pid namespace", "pid in the container", "mount /proc"}},
		{name: "read-only root", only: true, gateway: readOnly, spec: func(s *specs.Spec) { s.Root.Readonly = false }, finds: []string{"root"}},
		{name: "another root", only: true, gateway: none, spec: func(s *specs.Spec) { s.Root.Path = filepath.Join(scratchOf(s), "source") }, finds: []string{"root"}},
		{name: "masked file", only: true, spec: func(s *specs.Spec) { remove(&s.Linux.MaskedPaths, "/proc/keys") }, finds: []string{"masked /proc/keys"}},
		{name: "masked directory", only: true, spec: func(s *specs.Spec) { remove(&s.Linux.MaskedPaths, "/sys/firmware") }, finds: []string{"masked /sys/firmware"}},
		{name: "read-only path", only: true, spec: func(s *specs.Spec) { remove(&s.Linux.ReadonlyPaths, "/proc/sys") }, finds: []string{"read-only /proc/sys"}},
		{name: "read-only bind", only: true, spec: func(s *specs.Spec) { option(s, "/usr", "rro") }, finds: []string{"mount /usr"}},
		{name: "private bind", runc: true, only: true, spec: func(s *specs.Spec) {
			option(s, "/usr", "rprivate")
			mountAt(s, "/usr").Options = append(mountAt(s, "/usr").Options, "rshared")
		}, finds: []string{"mount /usr"}},
		{name: "a bind of something else", only: true, spec: func(s *specs.Spec) { mountAt(s, "/extra").Source = "/etc" }, gateway: func(g *config.Gateway) {
			g.Mounts = append(g.Mounts, config.Mount{Source: "/opt", Target: "/extra"})
		}, finds: []string{"mount /extra"}},
		{name: "a mount more", only: true, spec: func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/more", Type: "bind", Source: "/etc", Options: []string{"rbind", "nosuid", "nodev", "ro"}})
		}, finds: []string{"mount /more"}},
		{name: "a device more", only: true, spec: func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/dev/more", Type: "bind", Source: "/dev/full", Options: []string{"bind"}})
		}, finds: []string{"mount /dev/more"}},
		{name: "a mount less", only: true, spec: func(s *specs.Spec) { leaveOut(s, "/dev/shm") }, finds: []string{"mount /dev/shm"}},
		{name: "a bound tmpfs", only: true, spec: func(s *specs.Spec) { bind(s, "/dev/shm", "/dev/shm") }, finds: []string{"mount /dev/shm"}},
		{name: "size of a tmpfs", only: true, spec: func(s *specs.Spec) { option(s, "/dev/shm", "size=65536k") }, finds: []string{"mount /dev/shm"}},
		{name: "a leaked directory", only: true, leaks: "/", finds: []string{"open file 3"}},
		{name: "a leaked file", only: true, leaks: "/etc/passwd", finds: []string{"open file 3"}},
		{name: "a leaked memory file", only: true, leaks: "/proc/self/exe", finds: []string{"open file 3"}},
		{name: "init", only: true, gateway: func(g *config.Gateway) { g.Isolation.Init = true },
			spec: func(s *specs.Spec) { s.Process.Args = s.Process.Args[3:] }, finds: []string{"executable"}},
	}
	for _, flag := range []string{"nosuid", "nodev", "noexec"} {
		list = append(list, weakness{name: flag, only: true, spec: func(s *specs.Spec) { option(s, "/dev/shm", flag) }, finds: []string{"mount /dev/shm"}})
	}
	return list
}

var raw = []string{"CAP_NET_RAW"}

func without(s *specs.Spec, kind specs.LinuxNamespaceType) {
	s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
}

func mountAt(s *specs.Spec, target string) *specs.Mount {
	return &s.Mounts[slices.IndexFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == target })]
}

func leaveOut(s *specs.Spec, target string) {
	s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == target })
}

func bind(s *specs.Spec, source, target string) {
	*mountAt(s, target) = specs.Mount{Destination: target, Type: "bind", Source: source, Options: []string{"rbind", "rprivate", "rnosuid", "rnodev", "rnoexec", "rro"}}
}

func option(s *specs.Spec, target, option string) { remove(&mountAt(s, target).Options, option) }

func remove(list *[]string, text string) {
	*list = slices.DeleteFunc(*list, func(s string) bool { return s == text })
}

// scratchOf is the directory of the bench.
func scratchOf(s *specs.Spec) string {
	dir, _, _ := strings.Cut(s.Root.Path, "/state/")
	return dir
}

// weakSuite: each setting that the runtime at path leaves out is noticed, before
// anybody is told that the gateway is ready, and the gateway ends for it.
func weakSuite(t *testing.T, name, path string) {
	for _, w := range weaknesses() {
		if w.root && os.Geteuid() != 0 || w.runc && name != "runc" {
			continue
		}
		t.Run("weak/"+w.name, func(t *testing.T) {
			b := weakBench(t, path, w.name)
			g := b.gateway("echo ready; exec sleep 1000")
			if w.gateway != nil {
				w.gateway(&g)
			}
			r := b.prepare(g)
			err := r.Start(t.Context(), r.n)
			var differs *posture.DifferenceError
			if !errors.Is(err, supervisor.ErrPermanent) || !errors.As(err, &differs) {
				t.Fatalf("start: %v", err)
			}
			t.Log(err)
			var found []string
			for _, d := range differs.Differences {
				found = append(found, d.What)
			}
			for _, want := range w.finds {
				if !slices.Contains(found, want) || w.only && len(found) > len(w.finds) {
					t.Errorf("found %q, want %q", found, w.finds)
				}
			}
			if exit := r.exit(); !errors.As(exit.Cause(), &differs) || !r.Info(r.n).Verified.IsZero() {
				t.Errorf("exit = %+v of %+v", exit, r.Info(r.n))
			}
		})
	}
}

func weakBench(t *testing.T, real, weakness string) *bench {
	t.Helper()
	path := filepath.Join(scratch(t), "runtime")
	program, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(path, slices.Concat(program, []byte(weakMark), []byte(real)), 0o700))
	b := newBench(t, path, 10*time.Second)
	must(t, os.WriteFile(filepath.Join(b.Dirs.Runtime, "weakness"), []byte(weakness), 0o600))
	return b
}
