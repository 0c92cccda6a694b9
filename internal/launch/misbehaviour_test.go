package launch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// told is a bench on a fake runtime that obeys these words.
func told(t *testing.T, timeout time.Duration, behaviour string) *bench {
	t.Helper()
	b := newBench(t, self(t), timeout)
	b.tell(behaviour)
	return b
}

func (b *bench) tell(behaviour string) {
	b.t.Helper()
	must(b.t, os.WriteFile(filepath.Join(b.Dirs.Runtime, "behaviour"), []byte(behaviour), 0o600))
}

// Whatever a create does: Prepare says so with the runtime's words, another try
// may help, and Clean leaves nothing.
func TestCreateThatFails(t *testing.T) {
	for behaviour, want := range map[string]string{
		"create-hang":                       "no answer within",
		"create-hang-late":                  "no answer within",
		"create-hang-late create-orphans":   "no answer within",
		"create-die-early":                  "killed",
		"create-die-late":                   "killed",
		"create-die-late create-orphans":    "killed",
		"create-refuse-late":                "no more room",
		"create-refuse-late create-orphans": "no more room",
		"create-no-pid":                     "reported success",
		"create-pid=1":                      "reported success",
		"create-pid=twelve":                 "reported success",
	} {
		t.Run(behaviour, func(t *testing.T) {
			b := told(t, time.Second, behaviour)
			err := b.refused(t.Context(), b.gateway("echo ready"))
			if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, supervisor.ErrPermanent) {
				t.Errorf("error = %v, want %q", err, want)
			}
		})
	}
}

// The environment is in config.json for as long as create needs it, for us alone.
func TestSecretsDuringCreate(t *testing.T) {
	b := told(t, time.Minute, "create-hang")
	g := b.gateway("")
	g.Env.Static = map[string]string{"TOKEN": "c4n4ry"}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	l := launcherOf(b.Host, g)
	go func() { _, err := l.Prepare(ctx, 1, g.Revision()); done <- err }()
	path := func() string { return filepath.Join(b.Dirs.Launches(), l.Info(1).ID, "config.json") }
	waitFor(t, "the call of create", func() bool {
		data, err := os.ReadFile(path())
		return err == nil && strings.Contains(string(data), "c4n4ry") && len(alive()) > 0
	})
	info, err := os.Stat(path())
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v", info.Mode())
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("prepare = %v", err)
	}
	must(t, l.Clean(t.Context(), 1))
	b.without(t, "c4n4ry")
}

func TestStartThatFails(t *testing.T) {
	for behaviour, want := range map[string]string{
		"start-hang": "no answer within", "start-die": "did not succeed",
		"start-refuse": "not in the mood", "start-silent": "words on stdout only",
	} {
		t.Run(behaviour, func(t *testing.T) {
			b := told(t, time.Second, behaviour)
			r := b.prepare(b.gateway("echo ready"))
			if err := r.Start(t.Context(), r.n); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("start = %v, want %q", err, want)
			}
			must(t, r.Kill(t.Context(), r.n))
			if exit := r.exit(); exit.Signal != syscall.SIGKILL {
				t.Errorf("exit = %+v", exit)
			}
		})
	}
}

// A start that hangs is given up when nobody wants its answer any more, so that
// a stop need not wait for it.
func TestStartThatHangsIsCancelled(t *testing.T) {
	b := told(t, time.Minute, "start-hang")
	r := b.prepare(b.gateway("echo ready"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx, r.n) }()
	waitFor(t, "the call of start", func() bool { return len(alive()) > 1 })
	short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := r.Clean(short, r.n); !errors.Is(err, supervisor.ErrRunning) {
		t.Errorf("clean beside a start = %v, want ErrRunning", err)
	}
	cancel()
	must(t, r.Kill(t.Context(), r.n))
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("start = %v", err)
	}
}

func TestDeleteThatFails(t *testing.T) {
	b := told(t, time.Second, "delete-refuse")
	b.startReady(b.gateway("echo ready; sleep 1000")).clean()
	b.nothingLeft(t)

	b.tell("delete-hang")
	r := b.startReady(b.gateway("echo ready; sleep 1000"))
	if err := r.Clean(t.Context(), r.n); err == nil || errors.Is(err, supervisor.ErrRunning) {
		t.Errorf("clean by a delete that hangs = %v", err)
	}
	must(t, r.Clean(t.Context(), r.n)) // what could be removed was
}

// What is not to be staged fails the launch in the middle of it.
func TestStagingThatFails(t *testing.T) {
	b := told(t, 0, "")
	must(t, os.MkdirAll(filepath.Join(b.source(), "zz", "deep"), 0o755))
	must(t, syscall.Mkfifo(filepath.Join(b.source(), "zz", "deep", "fifo"), 0o600))
	err := b.refused(t.Context(), b.gateway(""))
	if !errors.Is(err, supervisor.ErrPermanent) || !strings.Contains(err.Error(), "zz/deep/fifo") {
		t.Errorf("error = %v", err)
	}
	b.nothingLeft(t)
}

// A data directory that is somebody else's, or no directory, is not used.
func TestDataDirectory(t *testing.T) {
	b := told(t, 0, "")
	g := b.gateway("")
	g.Mounts = append(g.Mounts, config.Mount{Source: "data", Target: "/data"})
	data := b.Dirs.Data(gatewayName)
	must(t, os.Symlink("/etc", data))
	if err := b.refused(t.Context(), g); !errors.Is(err, supervisor.ErrPermanent) {
		t.Errorf("a symbolic link: %v", err)
	}
	must(t, os.Remove(data))
	must(t, os.Mkdir(data, 0o700)) // as a gatewayd of root leaves it that is killed before chown
	b.prepare(g).clean()
	info, err := os.Stat(data)
	must(t, err)
	if uid, _ := b.ids(); ownerOf(info) != uid {
		t.Errorf("owner = %d", ownerOf(info))
	}
}
