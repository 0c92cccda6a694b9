package launch

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/internal/testenv"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// overlaySuite is the suite by overlay, for a runtime that makes one its root.
// What has nothing to do with the root is left out.
func overlaySuite(t *testing.T, name, path string) {
	if name == "crun" {
		t.Run("overlay refused", func(t *testing.T) { suiteOverlayRefused(t, overlayBench(t, path)) })
		return
	}
	open := func(t *testing.T) *bench {
		b := overlayBench(t, path)
		finds(t, b.Host, true) // asked once, here and not in a daemon that is killed
		return b
	}
	for name, test := range map[string]func(*testing.T, *bench){
		"clean":                     suiteClean,
		"clean of a running launch": suiteCleanRunning,
		"clean of what never ran":   suiteCleanCreated,
		"kill reaches what forked":  suiteKillForked,
		"program that is missing":   suiteMissingProgram,
		"secrets":                   suiteSecrets,
		"secret files":              suiteSecretFiles,
		"secret, read-only root":    suiteSecretReadOnly,
		"what is missing":           suiteMissing,
		"prepare cut at any moment": suiteCutPrepare,
		"clean beside a prepare":    suiteCleanBesidePrepare,
		"crash":                     suiteCrash,
		"posture":                   suitePosture,
		"fresh tree":                suiteFreshTree,
		"closed directories":        suiteClosedDirectories,
		"unreadable source":         suiteUnreadableSource,
		"mounts":                    suiteMounts,
		"packaged bundle":           suiteBundle,
		"read-only root":            suiteReadOnly,
		"no network":                suiteNoNetwork,
		"init":                      suiteInit,
		"probes":                    suiteProbes,
		"exec probe":                suiteExecProbe,
		"leaks":                     suiteLeaks,
		"stage":                     suiteStage,
	} {
		t.Run("overlay/"+name, func(t *testing.T) { test(t, open(t)) })
	}
}

// overlayBench is a bench whose gateways are staged by overlay. The container
// that tries whether there are any has no library in it: this binary may need
// some, the installed one does not.
func overlayBench(t *testing.T, path string) *bench {
	t.Helper()
	testenv.NeedHost(t)
	b := newBench(t, path, 0)
	b.Self, b.staging = "/usr/local/bin/gatewayd", stagingOf("overlay")
	return b
}

// Whatever else of the suite is by overlay, the gateways of such a bench are.
func suiteStage(t *testing.T, b *bench) {
	for _, stage := range []string{"overlay", "auto"} {
		g := b.gateway("grep ' / / ' /proc/self/mountinfo | tail -1 | cut -d' ' -f9")
		g.Staging.Stage = stage
		r := b.start(g)
		id := r.id()
		r.exit()
		if got := b.out.texts(id); len(got) != 1 || got[0] != "overlay" {
			t.Errorf("the root is mounted of type %q", got)
		}
		if info := r.Info(r.n); info.Stage != staging.Overlay || info.StageReason != "" || info.IDs != "single" {
			t.Errorf("info = %+v", info)
		}
	}
}

// crun makes no overlay: a gateway that leaves it the choice is copied, with
// crun's words for the reason, and one that insists does not start.
func suiteOverlayRefused(t *testing.T, b *bench) {
	g := b.gateway("cat /packaged")
	g.Staging.Stage = "auto"
	r := b.start(g)
	id := r.id()
	r.exit()
	if got := b.out.texts(id); len(got) != 1 || got[0] != "from the source" {
		t.Errorf("output = %q", got)
	}
	info := r.Info(r.n)
	r.clean()
	if info.Stage != staging.Copy || !strings.Contains(info.StageReason, "mount `overlay`") {
		t.Errorf("staged by %s, since %q", info.Stage, info.StageReason)
	}
	g.Staging.Stage = "overlay"
	err := b.refused(t.Context(), g)
	if !errors.Is(err, supervisor.ErrPermanent) || !errors.Is(err, staging.ErrRefused) || !strings.Contains(err.Error(), "mount `overlay`") {
		t.Errorf("error = %v", err)
	}
	b.nothingLeft(t)
}
