package runtime

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// bench is one runtime under test with the directories of one test.
type bench struct {
	*Runtime
	dir    string
	cgroup *Cgroup // nil: none delegated
	mapped int     // host id of container 0
}

// open prepares a bench. Whatever a test leaves is a failure of that test.
func open(t *testing.T, path string, timeout time.Duration) *bench {
	t.Helper()
	b, err := inspect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	dir := reachable(t)
	r, err := Open(b, Options{Root: filepath.Join(dir, "runtime"), CallTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	t.Cleanup(func() { nothingRuns(t) })
	h := &bench{Runtime: r, dir: dir, mapped: os.Getuid()}
	if os.Getuid() == 0 {
		h.mapped = 65532
	}
	if c, err := Delegated(); err == nil {
		h.cgroup = c
		if err := c.Enter(supervisorGroup); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// reachable is t.TempDir for a container whose root is another user: nothing on
// the way to it may be closed.
func reachable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gatewayd-runtime-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// nothingRuns fails for any process below this one, zombies included.
func nothingRuns(t *testing.T) {
	t.Helper()
	left, err := descendants(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range left {
		t.Errorf("process is left: %+v %q", s, arguments(s.pid))
		if fd, err := openPidfd(s.pid); err == nil { // so that the next test begins clean
			_ = fd.signal(syscall.SIGKILL)
			_ = fd.wait(context.Background())
			_, _ = fd.waitid(0)
			fd.Close()
		}
	}
}

// noStrays fails for a cgroup that the runtime has made and left.
func noStrays(t *testing.T, id string) {
	t.Helper()
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && names(d.Name(), id) {
			t.Errorf("cgroup is left: %s", path)
		}
		return nil
	})
	must(t, err)
}

// bundle writes a bundle for a container that runs this test binary as /prog.
func (b *bench) bundle(t *testing.T, id string, edit func(*specs.Spec), args ...string) CreateOptions {
	t.Helper()
	dir := filepath.Join(b.dir, id)
	rootfs := filepath.Join(dir, "rootfs")
	must(t, os.MkdirAll(rootfs, 0o755))
	must(t, os.Chown(rootfs, b.mapped, b.mapped))
	if err := os.Link(testBinary(t, b.dir), filepath.Join(rootfs, "prog")); !errors.Is(err, fs.ErrExist) {
		must(t, err)
	}
	must(t, os.WriteFile(filepath.Join(rootfs, "broken"), []byte("\x7fELF no more"), 0o755))
	spec := minimalSpec(args, b.mapped)
	o := CreateOptions{Bundle: dir, Dir: dir}
	if b.cgroup != nil {
		leaf, err := b.cgroup.Leaf(id)
		must(t, err)
		t.Cleanup(func() { must(t, leaf.Kill(context.Background())); must(t, leaf.Remove(context.Background())) })
		o.Leaf, spec.Linux.CgroupsPath = leaf, leaf.Path()
	}
	if edit != nil {
		edit(spec)
	}
	data, err := json.Marshal(spec)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600))
	return o
}

// testBinary copies the running binary to where a container can reach it.
func testBinary(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "prog")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	data, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(path, data, 0o755))
	return path
}

func minimalSpec(args []string, mapped int) *specs.Spec {
	id := []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(mapped), Size: 1}}
	mounts := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755"}},
	}
	for _, dir := range []string{"/usr", "/lib", "/lib64"} { // for programs that are not Go's, and race builds
		mounts = append(mounts, specs.Mount{Destination: dir, Type: "bind", Source: dir, Options: []string{"rbind", "ro"}})
	}
	var namespaces []specs.LinuxNamespace
	for _, kind := range []specs.LinuxNamespaceType{"user", "pid", "mount", "ipc", "uts", "cgroup"} {
		namespaces = append(namespaces, specs.LinuxNamespace{Type: kind})
	}
	return &specs.Spec{
		Version: "1.0.2",
		Process: &specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/usr/bin"}, NoNewPrivileges: true, Capabilities: &specs.LinuxCapabilities{}},
		Root:    &specs.Root{Path: "rootfs"},
		Mounts:  mounts,
		Linux:   &specs.Linux{UIDMappings: id, GIDMappings: id, Namespaces: namespaces},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// launch is a container under test and its output.
type launch struct {
	*Container
	out *bufio.Reader
	b   *bench
	o   CreateOptions
}

func (b *bench) create(t *testing.T, id string, o CreateOptions) (*launch, error) {
	t.Helper()
	read, write, err := os.Pipe()
	must(t, err)
	defer write.Close()
	t.Cleanup(func() { read.Close() })
	must(t, write.Chown(b.mapped, b.mapped))
	o.Stdout, o.Stderr = write, write
	c, err := b.Create(t.Context(), id, o)
	if err != nil {
		return nil, err
	}
	return &launch{c, bufio.NewReader(read), b, o}, nil
}

// run creates and starts a container with these arguments of /prog.
func (b *bench) run(t *testing.T, args ...string) *launch {
	t.Helper()
	const id = "web-1-abc"
	l, err := b.create(t, id, b.bundle(t, id, nil, args...))
	must(t, err)
	t.Cleanup(func() { l.clean(t) })
	must(t, l.Start(t.Context()))
	return l
}

// line reads the first line that the program, not the runtime, has printed.
func (l *launch) line(t *testing.T) string {
	t.Helper()
	for {
		text, err := l.out.ReadString('\n')
		if strings.HasPrefix(text, "ready") {
			return strings.TrimSpace(text)
		}
		if err != nil {
			t.Fatalf("no line from the program: %v; the runtime: %s", err, l.Words())
		}
	}
}

// ends waits for the end of the program.
func (l *launch) ends(t *testing.T) Status {
	t.Helper()
	select {
	case <-l.Process().Exited():
	case <-time.After(30 * time.Second):
		t.Fatal("the program does not end")
	}
	return l.Process().Status()
}

// clean is the order in which a launch is to be removed.
func (l *launch) clean(t *testing.T) {
	t.Helper()
	must(t, l.Process().Signal(syscall.SIGKILL))
	l.ends(t)
	must(t, l.b.Delete(context.Background(), l.ID()))
	must(t, l.Process().Reap())
	must(t, l.Process().Reap()) // idempotent
	l.Process().Close()
	states, err := os.ReadDir(l.b.root)
	must(t, err)
	if len(states) > 0 {
		t.Errorf("state is left: %v", states)
	}
}

// discard is a file that takes what a test does not look at.
func discard(t *testing.T) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	must(t, err)
	t.Cleanup(func() { file.Close() })
	return file
}

// waitFor waits for what no event tells of: the state of a foreign process.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
