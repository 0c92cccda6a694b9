package launch

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/internal/testenv"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// freezeSuite is what a warm standby needs of a launch.
func freezeSuite(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *bench){
		"freeze":                    suiteFreeze,
		"signal of a frozen launch": suiteFrozenSignal,
		"kill of a frozen launch":   suiteFrozenKill,
		"clean of a frozen launch":  suiteFrozenClean,
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			if !b.Freezes() {
				testenv.Skip(t, "needs a delegated cgroup v2: run it in the test host (make test)")
			}
			test(t, b)
		})
	}
}

// frozenRun is a launch that was ready and is frozen now.
func (b *bench) frozenRun(script string) *run {
	b.t.Helper()
	r := b.startReady(b.gateway(script))
	must(b.t, r.Freeze(b.t.Context(), r.n, true))
	return r
}

func (r *run) isFrozen(t *testing.T) bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.find(r.n).leaf.Dir(), "cgroup.events"))
	must(t, err)
	return strings.Contains(string(data), "frozen 1")
}

const answersUSR1 = "trap 'echo heard' USR1; trap 'echo ended; exit 3' TERM; echo ready; while :; do sleep 1000 & wait $!; done"

func suiteFreeze(t *testing.T, b *bench) {
	r := b.frozenRun(answersUSR1)
	must(t, r.Freeze(t.Context(), r.n, true))
	must(t, syscall.Kill(r.pid(), syscall.SIGUSR1))
	if !r.isFrozen(t) {
		t.Error("it is not frozen")
	}
	must(t, r.Freeze(t.Context(), r.n, false))
	r.says("heard")
	must(t, r.Freeze(t.Context(), r.n, false))
	r.clean()
	must(t, r.Freeze(t.Context(), r.n, false))
	if err := r.Freeze(t.Context(), r.n, true); err == nil {
		t.Error("a launch that is gone was frozen")
	}
}

func suiteFrozenSignal(t *testing.T, b *bench) {
	r := b.frozenRun(answersUSR1)
	must(t, r.Signal(t.Context(), r.n, syscall.SIGTERM))
	if exit := r.exit(); exit != (supervisor.Exit{Code: 3}) {
		t.Errorf("exit = %+v, want code 3 from the handler", exit)
	}
}

func suiteFrozenKill(t *testing.T, b *bench) {
	r := b.frozenRun(answersUSR1)
	must(t, r.Kill(t.Context(), r.n))
	if exit := r.exit(); exit != (supervisor.Exit{Signal: syscall.SIGKILL}) {
		t.Errorf("exit = %+v, want SIGKILL", exit)
	}
}

func suiteFrozenClean(t *testing.T, b *bench) {
	r := b.frozenRun(answersUSR1)
	r.clean()
	b.nothingLeft(t)
}

func TestFreezeNeedsCgroup(t *testing.T) {
	b := fakeBench(t)
	b.Cgroup = nil
	r := b.startReady(b.gateway("echo ready; sleep 1000"))
	if err := r.Freeze(t.Context(), r.n, true); err == nil || b.Freezes() {
		t.Errorf("frozen without a cgroup: %v", err)
	}
	must(t, r.Freeze(t.Context(), r.n, false))
}
