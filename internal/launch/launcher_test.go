package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Whoever hears of the end of a launch after its Clean still learns its id, but
// nothing is kept for ever.
func TestInfoOfCleanedLaunches(t *testing.T) {
	b := fakeBench(t)
	g := b.gateway("")
	l := launcherOf(b.Host, g)
	var infos []Info
	for n := 1; n <= keepCleaned+2; n++ {
		_, err := l.Prepare(t.Context(), n, g.Revision())
		must(t, err)
		infos = append(infos, l.Info(n))
		must(t, l.Clean(t.Context(), n))
		must(t, l.Clean(t.Context(), n))
	}
	for i, before := range infos {
		want := Info{}
		if i >= len(infos)-keepCleaned {
			want = before
			want.Pid, want.Cleaned = 0, true // the pid may be another's by now
		}
		if got := l.Info(i + 1); !reflect.DeepEqual(got, want) {
			t.Errorf("launch %d was %+v, and is told as %+v", i+1, before, got)
		}
	}
}

// What a package asks for on top of the configuration shows, and a change of the
// configuration does not show in a launch that began before it.
func TestPostureIsThatOfTheLaunch(t *testing.T) {
	b := fakeBench(t)
	g := b.bundled(`{"ociVersion":"1.0.2","process":{"args":["/bin/sh","-c","sleep 1000"],"cwd":"/"},"root":{"path":"rootfs","readonly":true}}`)
	r := b.prepare(g)
	other := g
	other.Isolation.Seccomp = "unconfined"
	_ = r.Define(other.Revision(), other)
	uid, _ := b.ids()
	want := fmt.Sprintf("uid=%d caps=none nnp seccomp=default net=host rootfs=ro", uid)
	if info := r.Info(r.n); info.Posture != want {
		t.Errorf("posture = %q, want %q", info.Posture, want)
	}
	if next := r.Posture(); !strings.Contains(next, "seccomp=unconfined") {
		t.Errorf("posture of the next launch = %q", next)
	}
}

// bundled is a gateway from a packaged bundle with a config.json.
func (b *bench) bundled(spec string) config.Gateway {
	b.t.Helper()
	dir := filepath.Join(b.dir, "bundle")
	must(b.t, errors.Join(os.Mkdir(dir, 0o755), makeSource(filepath.Join(dir, "rootfs")),
		os.WriteFile(filepath.Join(dir, "config.json"), []byte(spec), 0o644)))
	g := gatewayOn("")
	g.Bundle = dir
	return g
}

func TestWithoutRuntime(t *testing.T) {
	b := bareBench(t)
	if err := b.refused(t.Context(), b.gateway("")); !errors.Is(err, supervisor.ErrPermanent) || !errors.Is(err, runtime.ErrNoRuntime) {
		t.Errorf("a container without a runtime: %v", err)
	}
	b.Runtime = func(context.Context) (*runtime.Runtime, error) { return nil, context.DeadlineExceeded }
	if err := b.refused(t.Context(), b.gateway("")); errors.Is(err, supervisor.ErrPermanent) {
		t.Errorf("a runtime that is slow: %v", err)
	}
}

// A gateway is given up only for what is wrong with it.
func TestPermanent(t *testing.T) {
	for _, passing := range []error{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EMFILE} {
		err := fmt.Errorf("create data directory: %w", &os.PathError{Op: "mkdir", Path: "/data", Err: passing})
		if got := permanent(err); errors.Is(got, supervisor.ErrPermanent) || !errors.Is(got, passing) {
			t.Errorf("%v: %v", passing, got)
		}
	}
	for _, lasting := range []error{syscall.EACCES, syscall.ENOENT, errors.New("spec refused")} {
		if got := permanent(lasting); !errors.Is(got, supervisor.ErrPermanent) || !errors.Is(got, lasting) {
			t.Errorf("%v: %v", lasting, got)
		}
	}
}

// The next launch must not begin beside what a create has left.
func TestCreateThatLeavesAProcess(t *testing.T) {
	err := held(fmt.Errorf("create: %w", runtime.ErrRunning))
	if !errors.Is(err, supervisor.ErrRunning) || !errors.Is(err, runtime.ErrRunning) {
		t.Errorf("error = %v", err)
	}
	if err := held(runtime.ErrNotChild); errors.Is(err, supervisor.ErrRunning) || !errors.Is(err, runtime.ErrNotChild) {
		t.Errorf("error = %v", err)
	}
}
