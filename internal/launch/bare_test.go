package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// bareBench has no runtime: a bare gateway needs none.
func bareBench(t *testing.T) *bench {
	t.Helper()
	b := fakeBench(t)
	b.Runtime = noRuntime
	return b
}

func noRuntime(context.Context) (*runtime.Runtime, error) {
	return nil, fmt.Errorf("none here: %w", runtime.ErrNoRuntime)
}

// bareGateway runs a script that is in its tree: the host's shell is not.
func (b *bench) bareGateway(script string) config.Gateway {
	b.t.Helper()
	must(b.t, os.WriteFile(filepath.Join(b.source(), "run"), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	g := gatewayOn(b.source(), "/run", "argument")
	g.Mounts, g.Isolation.Bare = nil, true
	return g
}

func TestBare(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *bench){
		"program":          bareProgram,
		"exit":             bareExit,
		"kill":             bareKill,
		"forked":           bareForked,
		"clean":            bareClean,
		"symlink":          bareSymlink,
		"without a binary": bareMissing,
		"notify":           bareNotify,
		"spares":           bareSpares,
		"owner":            bareOwner,
		"secret":           bareSecret,
		"busy":             bareBusy,
		"stays busy":       bareStaysBusy,
		"no program":       bareNoProgram,
	} {
		t.Run(name, func(t *testing.T) { test(t, bareBench(t)) })
	}
}

func bareProgram(t *testing.T, b *bench) {
	t.Setenv("PASSED", "on")
	t.Setenv("OTHER", "of gatewayd alone")
	g := b.bareGateway("pwd; cat packaged; echo $1 $PASSED $LOG $OTHER $PATH; echo x >packaged")
	g.Env = config.Env{Static: map[string]string{"LOG": "info"}, Pass: []string{"PASSED"}}
	for range 2 {
		r := b.start(g)
		id := r.id()
		if exit := r.exit(); exit.Cause() != nil {
			t.Errorf("exit = %+v", exit)
		}
		want := []string{filepath.Join(b.Dirs.Rootfs(), id), "from the source", "argument on info /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
		if got := b.out.texts(id); !slices.Equal(got, want) {
			t.Errorf("output = %q, want %q", got, want)
		}
		if info := r.Info(r.n); r.Posture() != "bare" || info.Posture != "bare" || !info.Bare || info.Runtime != "" {
			t.Errorf("posture = %q, info = %+v", r.Posture(), info)
		}
		r.clean()
	}
}

func bareExit(t *testing.T, b *bench) {
	for script, want := range map[string]supervisor.Exit{
		"exit 0": {}, "exit 7": {Code: 7}, "kill -TERM $$": {Signal: syscall.SIGTERM},
	} {
		if exit := b.start(b.bareGateway(script)).exit(); exit != want {
			t.Errorf("%s: exit = %+v, want %+v", script, exit, want)
		}
	}
	r := b.startReady(b.bareGateway("echo ready; exec sleep 1000"))
	must(t, r.Signal(t.Context(), r.n, syscall.SIGTERM))
	if exit := r.exit(); exit != (supervisor.Exit{Signal: syscall.SIGTERM}) {
		t.Errorf("exit = %+v, want SIGTERM by its default action", exit)
	}
}

func bareKill(t *testing.T, b *bench) {
	r := b.startReady(b.bareGateway("trap '' TERM; sleep 1000 & echo ready; wait"))
	must(t, r.Kill(t.Context(), r.n))
	if exit := r.exit(); exit != (supervisor.Exit{Signal: syscall.SIGKILL}) {
		t.Errorf("exit = %+v", exit)
	}
	waitFor(t, "the end of what it forked", func() bool { return len(alive()) == 0 })
	r.clean()
	b.mustHaveReaped()
}

// The end of a bare process is the end of the launch: what it forked goes.
func bareForked(t *testing.T, b *bench) {
	escape := "sh -c 'trap \"\" TERM HUP; echo ready; sleep 1000'"
	if b.Cgroup != nil {
		escape = "setsid " + escape // out of the process group, not of the cgroup
	}
	r := b.startReady(b.bareGateway(escape + " & sleep 1000"))
	pid := r.pid()
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	r.exit()
	waitFor(t, "the end of what it forked", func() bool { return len(alive()) == 0 })
	r.clean()
	b.mustHaveReaped()
}

// mustHaveReaped finds no process of a cleaned bare launch, nor the zombie of one.
// Without a cgroup nobody can tell whose they were, and they stay for a minute.
func (b *bench) mustHaveReaped() {
	b.t.Helper()
	if left := descendants(); b.Cgroup != nil && len(left) > 0 {
		b.t.Errorf("left of what it forked: %+v", left)
	}
	reapAll()
}

func bareClean(t *testing.T, b *bench) {
	r := b.startReady(b.bareGateway("mkdir -p closed/in; chmod 0 closed; echo ready; exec sleep 1000"))
	r.clean()
	b.nothingLeft(t)
	r = b.prepare(b.bareGateway("echo never"))
	r.clean()
	b.nothingLeft(t)
}

// A symbolic link in the package does not lead out of it.
func bareSymlink(t *testing.T, b *bench) {
	g := b.bareGateway("exit 0")
	must(t, os.Symlink("/bin/true", filepath.Join(b.source(), "way-out")))
	g.Command = []string{"/way-out"}
	if err := b.refused(t.Context(), g); !errors.Is(err, supervisor.ErrPermanent) || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("error = %v", err)
	}
}

func bareMissing(t *testing.T, b *bench) {
	g := b.bareGateway("exit 0")
	g.Command = []string{"/nothing"}
	if err := b.refused(t.Context(), g); !errors.Is(err, supervisor.ErrPermanent) {
		t.Errorf("error = %v", err)
	}
	must(t, os.WriteFile(filepath.Join(b.source(), "text"), []byte("no program"), 0o644))
	g.Command = []string{"/text"}
	r := b.prepare(g)
	if err := r.Start(t.Context(), r.n); err == nil {
		t.Error("start of what is not executable succeeds")
	}
	g = b.gateway("")
	if err := b.refused(t.Context(), g); !errors.Is(err, supervisor.ErrPermanent) {
		t.Errorf("a container without a runtime: %v", err)
	}
}

func bareNotify(t *testing.T, b *bench) {
	must(t, copyFile("/proc/self/exe", filepath.Join(b.source(), "prog")))
	g := gatewayOn(b.source(), "/prog", "program", "serve", freeAddress(t))
	g.Mounts, g.Isolation.Bare = nil, true
	g.Ready.Probe = config.Probe{Kind: config.ProbeNotify}
	r := b.start(g)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, r.Probe(ctx, r.n))
}

// What a bare gateway forks and leaves to us, as the parent of orphans, lives on
// while it runs itself, whatever other launches are cleaned.
func bareSpares(t *testing.T, b *bench) {
	r := b.startReady(b.bareGateway("(setsid sh -c 'echo ready; exec sleep 1000' &); exec sleep 1000"))
	var forked int
	waitFor(t, "what it forked to be ours", func() bool { forked = orphan(r.pid()); return forked != 0 })
	if !b.children.spared(forked) {
		t.Error("what a running gateway has forked is not spared")
	}
	if b.Cgroup != nil && b.children.spared(os.Getpid()) {
		t.Error("what is in no leaf is spared")
	}
	r.clean()
	if b.children.spared(forked) {
		t.Error("what a cleaned gateway has forked is spared")
	}
	end(forked) // without a cgroup only the process group was killed
}

// orphan is our living child that is not the process pid.
func orphan(pid int) int {
	for _, p := range descendants() {
		if p.parent == os.Getpid() && p.pid != pid && p.state != "Z" {
			return p.pid
		}
	}
	return 0
}

// A program that is open for writing for a moment is started after that.
func bareBusy(t *testing.T, b *bench) {
	r := b.prepare(b.bareGateway("exit 7"))
	busy, err := os.OpenFile(filepath.Join(b.Dirs.Rootfs(), r.id(), "run"), os.O_WRONLY, 0)
	must(t, err)
	tries := 0
	b.OnMainThread = func(_ context.Context, start func() error) error {
		err := start()
		if tries++; tries == 3 {
			must(t, busy.Close())
		}
		return err
	}
	must(t, r.Start(t.Context(), r.n))
	if exit := r.exit(); exit.Code != 7 || tries < 4 {
		t.Errorf("exit = %+v, after %d tries", exit, tries)
	}
	r.clean()
}

// One that stays busy is an error, and has ended with that.
func bareStaysBusy(t *testing.T, b *bench) {
	r := b.prepare(b.bareGateway("exit 0"))
	busy, err := os.OpenFile(filepath.Join(b.Dirs.Rootfs(), r.id(), "run"), os.O_WRONLY, 0)
	must(t, err)
	defer func() { _ = busy.Close() }()
	if err := r.Start(t.Context(), r.n); !errors.Is(err, syscall.ETXTBSY) {
		t.Errorf("start = %v", err)
	}
	if exit := r.exit(); !errors.Is(exit.Cause(), syscall.ETXTBSY) {
		t.Errorf("exit = %+v", exit)
	}
	r.clean()
}

// What cannot be executed has ended: nobody waits for its end.
func bareNoProgram(t *testing.T, b *bench) {
	g := b.bareGateway("exit 0")
	must(t, os.Chmod(filepath.Join(b.source(), "run"), 0o644))
	r := b.prepare(g)
	if err := r.Start(t.Context(), r.n); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("start = %v", err)
	}
	must(t, r.Kill(t.Context(), r.n))
	if exit := r.exit(); !errors.Is(exit.Cause(), fs.ErrPermission) {
		t.Errorf("exit = %+v", exit)
	}
	r.clean()
}

// Root's bare gateway is run by root: no container's user may write its program.
func bareOwner(t *testing.T, b *bench) {
	r := b.prepare(b.bareGateway("exit 0"))
	info, err := os.Lstat(filepath.Join(b.Dirs.Rootfs(), r.id(), "run"))
	must(t, err)
	if ownerOf(info) != os.Geteuid() {
		t.Errorf("the program that uid %d runs belongs to uid %d", os.Geteuid(), ownerOf(info))
	}
}
