package launch

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/posture"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// verifySuite: whatever a gateway asks for, its container is found to be as promised.
func verifySuite(t *testing.T, open opener) {
	for what, change := range map[string]func(*config.Gateway){
		"as it is":   func(*config.Gateway) {},
		"no network": func(g *config.Gateway) { g.Isolation.Network = "none" },
		"read-only":  func(g *config.Gateway) { g.Isolation.ReadOnly = true },
		"init":       func(g *config.Gateway) { g.Isolation.Init = true },
		"unconfined": func(g *config.Gateway) { g.Isolation.Seccomp = "unconfined" },
		"all": func(g *config.Gateway) {
			g.Isolation.Network, g.Isolation.ReadOnly, g.Isolation.Init = "none", true, true
		},
	} {
		t.Run("verified/"+what, func(t *testing.T) {
			b := open(t)
			g := b.gateway("echo ready; exec sleep 1000")
			change(&g)
			b.mustBeAsPromised(g)
		})
	}
	t.Run("verified/masks behind a link", func(t *testing.T) {
		b := open(t)
		b.mustBeAsPromised(behindLink(b))
	})
}

func (b *bench) mustBeAsPromised(g config.Gateway) {
	b.t.Helper()
	r := b.startReady(g)
	info := r.Info(r.n)
	if info.Verified.IsZero() || len(info.Differs)+len(info.Unseen) > 0 {
		b.t.Errorf("info = %+v", info)
	}
	again, err := r.Verify(b.t.Context(), r.n)
	if err != nil || again.Err() != nil || !r.Info(r.n).Verified.After(info.Verified) {
		b.t.Errorf("verified again: %v, %+v", err, again)
	}
}

// behindLink is a package that masks what is behind a symbolic link of its own.
func behindLink(b *bench) config.Gateway {
	b.t.Helper()
	paths := func(known []string, more ...string) string {
		text, err := json.Marshal(slices.Concat(known, more))
		must(b.t, err)
		return string(text)
	}
	like := b.gateway("echo ready; exec sleep 1000")
	g := b.bundled(`{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["a"]},"linux":{"maskedPaths":` +
		paths(bundle.MaskedPaths(), "/link/file", "/link/dir") + `,"readonlyPaths":` + paths(bundle.ReadonlyPaths(), "/link/ro") + `}}`)
	root := filepath.Join(g.Bundle, "rootfs")
	must(b.t, errors.Join(os.Symlink("real", filepath.Join(root, "link")), os.MkdirAll(filepath.Join(root, "real/dir/full"), 0o755),
		os.Mkdir(filepath.Join(root, "real/ro"), 0o755), os.WriteFile(filepath.Join(root, "real/file"), []byte("secret"), 0o644)))
	g.Command, g.Mounts = like.Command, like.Mounts
	return g
}

// processAlone is a workload that is a process and nothing else.
type processAlone struct{}

func (processAlone) start(context.Context) (*runtime.Process, error) {
	return nil, errors.ErrUnsupported
}
func (processAlone) kill(p *runtime.Process) error { return p.Signal(syscall.SIGKILL) }
func (processAlone) remove(context.Context) error  { return nil }
func (processAlone) words() string                 { return "" }

// What verify has found of a launch that is not ready yet does not make it ready: it
// is looked at again, and ends.
func TestAskedBeforeItIsReady(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	must(t, cmd.Start())
	process, err := runtime.Watch(cmd.Process.Pid)
	must(t, err)
	la := newLaunch(&Host{}, &ports{}, config.Gateway{Name: "web"}, 1)
	la.promise, la.work, la.process, la.started = new(posture.Promise), processAlone{}, process, true
	if _, err := la.verify(); err != nil || len(la.info.Load().Differs) == 0 {
		t.Fatalf("verify: %v, info = %+v", err, la.info.Load())
	}
	if err := la.verified(t.Context()); !errors.Is(err, supervisor.ErrPermanent) {
		t.Errorf("verified: %v", err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", err)
	}
}
