package launch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/internal/testenv"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// A tree that is not the one pinned does not start, and both digests are named.
func TestPinnedDigest(t *testing.T) {
	b := told(t, 0, "")
	g := b.gateway("echo ready; sleep 1000")
	r := b.startReady(g)
	digest := r.Info(r.n).Digest
	r.clean()
	if !strings.HasPrefix(digest, "sha256:") {
		t.Fatalf("digest = %q", digest)
	}
	for _, verify := range []string{"always", "changed"} {
		g.Staging.Verify, g.Staging.Digest = verify, digest
		r = b.startReady(g)
		if got := r.Info(r.n).Digest; got != digest {
			t.Errorf("digest = %q", got)
		}
		r.clean()
		g.Staging.Digest = "sha256:" + strings.Repeat("0", 64)
		err := b.refused(t.Context(), g)
		if !errors.Is(err, supervisor.ErrPermanent) || !errors.Is(err, staging.ErrDigest) ||
			!strings.Contains(err.Error(), digest) || !strings.Contains(err.Error(), g.Staging.Digest) {
			t.Errorf("verify = %s: error = %v", verify, err)
		}
	}
	b.nothingLeft(t)
	g.Staging.Verify, g.Staging.Digest = "never", ""
	r = b.startReady(g)
	if got := r.Info(r.n).Digest; got != "" {
		t.Errorf("verify = never: digest = %q", got)
	}
}

// What the configuration allows reaches the copy.
func TestCopyLimits(t *testing.T) {
	b := told(t, 0, "")
	must(t, os.WriteFile(filepath.Join(b.source(), "etc/large"), make([]byte, 5000), 0o644))
	for name, limit := range map[string]func(*config.Staging){
		"size":  func(s *config.Staging) { s.MaxSize = 4999 },
		"files": func(s *config.Staging) { s.MaxFiles = 3 },
	} {
		g := b.gateway("")
		limit(&g.Staging)
		err := b.refused(t.Context(), g)
		if !errors.Is(err, supervisor.ErrPermanent) || !errors.Is(err, bundle.ErrTooLarge) {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	b.nothingLeft(t)
}

// What a copy leaves out or changes is told, by path.
func TestCopyNotes(t *testing.T) {
	b := told(t, 0, "")
	must(t, syscall.Mkfifo(filepath.Join(b.source(), "etc/fifo"), 0o600))
	must(t, os.WriteFile(filepath.Join(b.source(), "etc/su"), nil, 0o755))
	must(t, os.Chmod(filepath.Join(b.source(), "etc/su"), 0o755|fs.ModeSetuid))
	for _, keep := range []bool{false, true} {
		core, logs := observer.New(zap.InfoLevel)
		b.Log = zap.New(core)
		g := b.gateway("echo ready; sleep 1000")
		g.Staging.SkipSpecial, g.Staging.KeepSetuid = true, keep
		r := b.startReady(g)
		info, err := os.Stat(filepath.Join(b.Dirs.Rootfs(), r.id(), "etc/su"))
		must(t, err)
		if kept := info.Mode()&fs.ModeSetuid != 0; kept != keep {
			t.Errorf("keep_setuid = %v: mode %v", keep, info.Mode())
		}
		if _, err := os.Lstat(filepath.Join(b.Dirs.Rootfs(), r.id(), "etc/fifo")); err == nil {
			t.Error("the FIFO is copied")
		}
		var notes strings.Builder
		for _, entry := range logs.FilterField(zap.String("event", "staged")).All() {
			notes.WriteString(entry.Message + "\n")
		}
		if !strings.Contains(notes.String(), "etc/fifo") || strings.Contains(notes.String(), "etc/su") == keep {
			t.Errorf("keep_setuid = %v: told %q", keep, notes.String())
		}
		r.clean()
	}
}

// What somebody else installed is copied, unless nobody writes there.
func TestSourceOfAnotherOwner(t *testing.T) {
	b := overlayBench(t, testenv.Runtime(t, "youki"))
	g := gatewayOn("/etc/skel", "/usr/local/bin/gatewayd", "version") // root's, and no container root is that
	g.Staging.Stage = "auto"
	for readOnly, want := range map[bool]string{false: staging.Copy, true: staging.Overlay} {
		g.Isolation.ReadOnly = readOnly
		r := b.start(g)
		if exit := r.exit(); exit.Cause() != nil {
			t.Errorf("the program %v; its output: %q", exit.Cause(), b.out.texts(r.id()))
		}
		info := r.Info(r.n)
		if info.Stage != want || strings.Contains(info.StageReason, "/etc/skel belongs to 0:0") == readOnly {
			t.Errorf("read_only = %v: staged by %s, since %q", readOnly, info.Stage, info.StageReason)
		}
		r.clean()
	}
	g.Isolation.ReadOnly, g.Staging.Stage = false, "overlay"
	if err := b.refused(t.Context(), g); !errors.Is(err, supervisor.ErrPermanent) || !strings.Contains(err.Error(), "/etc/skel") {
		t.Errorf("error = %v", err)
	}
}

// A source that changes under a live overlay, and that goes away, is told of once.
func TestSourceChangesUnderOverlay(t *testing.T) {
	b := overlayBench(t, testenv.Runtime(t, "youki"))
	core, logs := observer.New(zap.InfoLevel)
	b.Log = zap.New(core)
	b.Host.staging().Every = 10 * time.Millisecond
	closed := filepath.Join(b.source(), "closed")
	must(t, os.Mkdir(closed, 0o700))
	b.give(closed)
	must(t, os.Chmod(closed, 0)) // what only a helper can read is looked after, too
	r := b.startReady(b.gateway("echo ready; exec sleep 1000"))
	info := func() Info { return r.Info(r.n) }
	waitFor(t, "the digest", func() bool { return info().Digest != "" })
	before := info()
	if before.SourceChanged != "" {
		t.Errorf("changed: %q", before.SourceChanged)
	}
	must(t, os.WriteFile(filepath.Join(b.source(), "packaged"), []byte("another"), 0o644))
	waitFor(t, "the change", func() bool { // which may be told of before it is over
		return strings.Contains(info().SourceChanged, "it was "+before.Digest+" and is sha256:")
	})
	if after := info(); after.Digest != before.Digest {
		t.Errorf("info = %+v", after)
	}
	must(t, os.Chmod(closed, 0o700))
	must(t, os.RemoveAll(b.source()))
	waitFor(t, "the end of the source", func() bool { return strings.Contains(info().SourceChanged, "no such file") })
	records := logs.FilterField(zap.String("event", "source-changed")).All()
	if len(records) < 2 || records[0].Level != zap.WarnLevel || !strings.Contains(records[0].Message, "source has changed") {
		t.Errorf("records: %+v", records)
	}
	told := len(records)
	r.clean()
	b.nothingLeft(t)
	if now := logs.FilterField(zap.String("event", "source-changed")).Len(); now != told {
		t.Errorf("%d records after the end, %d before", now, told)
	}
}
