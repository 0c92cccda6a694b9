package launch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// gatewayName is that of all gateways of this run, so that their cgroups can be
// told from those of another run on this machine.
var gatewayName = cmp.Or(os.Getenv(nameEnv), fmt.Sprintf("test%d", os.Getpid()))

// nameEnv tells a daemon of ours what to call its gateway.
const nameEnv = "LAUNCH_TEST_GATEWAY"

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// bench is a Host on directories of its own, with one runtime.
type bench struct {
	*Host
	t    *testing.T
	dir  string
	path string // of the runtime
	out  *recorder
	next int

	staging config.Staging // of its gateways
}

// opener opens a bench on one runtime.
type opener func(t *testing.T) *bench

func fakeBench(t *testing.T) *bench { return newBench(t, self(t), 0) }

// newBench opens a bench on the runtime at path. What a test leaves on it is a
// failure of that test.
func newBench(t *testing.T, path string, timeout time.Duration) *bench {
	t.Helper()
	b := &bench{t: t, dir: scratch(t), path: path, out: newRecorder(), staging: stagingOf("copy")}
	host, err := openHost(t.Context(), b.dir, path, timeout)
	must(t, err)
	b.Host = host
	b.Self = reachableSelf()
	b.Write = b.out.write
	engine, err := host.Runtime(t.Context())
	must(t, err)
	t.Cleanup(func() { _ = engine.Close() })
	t.Cleanup(func() { b.nothingLeft(t) })
	return b
}

// openHost makes the Host of a gatewayd whose directories are below dir.
func openHost(ctx context.Context, dir, path string, timeout time.Duration) (*Host, error) {
	dirs := Dirs{Runtime: filepath.Join(dir, "run"), State: filepath.Join(dir, "state")}
	if err := dirs.Create(os.Geteuid() == 0); err != nil {
		return nil, err
	}
	binary, err := runtime.Find(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	engine, err := runtime.Open(binary, runtime.Options{Root: dirs.RuntimeRoot(), CallTimeout: timeout})
	if err != nil {
		return nil, err
	}
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cgroup, err := runtime.Delegated()
	if err != nil {
		cgroup = nil
	}
	opened := func(context.Context) (*runtime.Runtime, error) { return engine, nil }
	return &Host{Dirs: dirs, Runtime: opened, Cgroup: cgroup, Env: os.LookupEnv, Self: own, pretends: path == own}, nil
}

// scratch is t.TempDir with a short path (sockets lie there), on which another
// user, container root, is let pass.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "launch-")
	must(t, err)
	must(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	must(t, err)
	return path
}

// source makes a tree to stage, on which the host's programs can be mounted.
func (b *bench) source() string {
	b.t.Helper()
	dir := filepath.Join(b.dir, "source")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	must(b.t, makeSource(dir))
	if b.staging.Stage != "copy" {
		b.give(dir)
	}
	return dir
}

// give makes the container's root the owner of the tree dir: only so can it be
// overlaid and written.
func (b *bench) give(dir string) {
	b.t.Helper()
	uid, gid := b.ids()
	must(b.t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, gid))
	}))
}

func makeSource(dir string) error {
	var errs []error
	for _, name := range []string{"", "dev", "etc", "proc", "sys", "tmp", "usr"} {
		errs = append(errs, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	for _, name := range []string{"bin", "lib", "lib64", "sbin"} {
		errs = append(errs, os.Symlink("usr/"+name, filepath.Join(dir, name)))
	}
	errs = append(errs, os.WriteFile(filepath.Join(dir, "packaged"), []byte("from the source\n"), 0o644))
	return errors.Join(errs...)
}

// gateway is one that runs a shell script.
func (b *bench) gateway(script string) config.Gateway {
	g := gatewayOn(b.source(), "/bin/sh", "-c", script)
	g.Staging = b.staging
	return g
}

// stagingOf is what the configuration says without a word, but for stage, and
// the ids: ids = "range" when stage ends in " range".
func stagingOf(stage string) config.Staging {
	stage, several := strings.CutSuffix(stage, " range")
	s := config.Staging{Stage: stage, IDs: "single", Verify: "changed"}
	if several {
		s.IDs = "range"
	}
	return s
}

func gatewayOn(source string, command ...string) config.Gateway {
	return config.Gateway{
		Name: gatewayName, Rootfs: source, Command: command, Workdir: "/",
		Mounts:    []config.Mount{{Source: "/usr", Target: "/usr", ReadOnly: true}},
		Staging:   stagingOf("copy"),
		Ready:     config.Ready{Probe: config.Probe{Kind: config.ProbeNone}},
		Isolation: config.Isolation{Network: "host", Seccomp: "default", Tmp: 16 << 20},
	}
}

// run is a launch that has been prepared.
type run struct {
	*Launcher
	t     *testing.T
	b     *bench
	n     int
	exits <-chan supervisor.Exit
}

// prepare begins a launch of g, which is cleaned at the end of the test.
func (b *bench) prepare(g config.Gateway) *run {
	b.t.Helper()
	b.next++
	r := &run{launcherOf(b.Host, g), b.t, b, b.next, nil}
	b.t.Cleanup(r.clean)
	var err error
	r.exits, err = r.Prepare(b.t.Context(), r.n, g.Revision())
	must(b.t, err)
	return r
}

// start begins a launch of g and lets its program run.
func (b *bench) start(g config.Gateway) *run {
	b.t.Helper()
	r := b.prepare(g)
	must(b.t, r.Start(b.t.Context(), r.n))
	return r
}

// startReady waits, too, until the program has written the line "ready".
func (b *bench) startReady(g config.Gateway) *run {
	b.t.Helper()
	r := b.start(g)
	r.says("ready")
	return r
}

// refused prepares a launch that must fail, and cleans it.
func (b *bench) refused(ctx context.Context, g config.Gateway) error {
	b.t.Helper()
	b.next++
	l := launcherOf(b.Host, g)
	_, err := l.Prepare(ctx, b.next, g.Revision())
	if err == nil {
		b.t.Error("prepare succeeds")
	}
	must(b.t, l.Clean(context.Background(), b.next))
	return err
}

func (r *run) id() string  { return r.Info(r.n).ID }
func (r *run) pid() int    { return r.Info(r.n).Pid }
func (r *run) dir() string { return filepath.Join(r.b.Dirs.Launches(), r.id()) }

// exit waits for the end of the program.
func (r *run) exit() supervisor.Exit {
	r.t.Helper()
	select {
	case exit := <-r.exits:
		return exit
	case <-time.After(patience):
		r.t.Fatalf("the program does not end; its output: %q", r.b.out.texts(r.id()))
		return supervisor.Exit{}
	}
}

// clean must work, also when it is called again.
func (r *run) clean() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := errors.Join(r.Clean(ctx, r.n), r.Clean(ctx, r.n)); err != nil {
		r.t.Errorf("clean: %v", err)
	}
}

// says waits for a line of the program.
func (r *run) says(text string) {
	r.t.Helper()
	if !r.b.out.wait(r.id(), text) {
		r.t.Fatalf("no line %q from the program but %q", text, r.b.out.texts(r.id()))
	}
}

// output runs g to its end, which must be a success, and returns what it wrote.
func (b *bench) output(g config.Gateway) []string {
	b.t.Helper()
	r := b.start(g)
	id := r.id()
	if exit := r.exit(); exit.Cause() != nil {
		b.t.Errorf("the program %v; its output: %q", exit.Cause(), b.out.texts(id))
	}
	r.clean()
	return b.out.texts(id)
}
