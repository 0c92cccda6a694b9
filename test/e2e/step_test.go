package e2e

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/internal/testenv"
)

// After each step of gatewayd's that changes something outside of it, whatever is
// going on, it is killed, and systemd starts another one: then all is as it should
// be, and nothing is left.
//
// Each step comes in one of the situations, and a part of them, chosen by chance, is
// killed after in one. With GATEWAYD_TEST_LONG=1 (make kill-matrix) each is, in each
// situation that has it, the first time, the last and once between.
func TestKilledAfterEachStep(t *testing.T) {
	t.Parallel()
	testenv.NeedHost(t)
	testenv.NeedUnprivileged(t)
	testenv.NeedUserManager(t)
	m := newMatrix()
	t.Run("while", func(t *testing.T) {
		for _, s := range situations() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				m.run(t, s)
			})
		}
	})
	if !t.Failed() {
		m.report(t)
	}
}

// matrix is which steps were killed after, in which situation, and how often.
type matrix struct {
	wanted map[string]bool // steps that are to be killed after

	mu     sync.Mutex
	come   map[string]bool           // steps that some situation has
	taken  map[string]bool           // steps that a situation is at, or has done
	struck map[string]map[string]int // by step and situation
}

func newMatrix() *matrix {
	m := &matrix{wanted: map[string]bool{}, come: map[string]bool{}, taken: map[string]bool{}, struck: map[string]map[string]int{}}
	for _, s := range step.All {
		m.wanted[s.Name] = longer(rand.IntN(4) == 0, true)
	}
	return m
}

// run kills after the steps of one situation.
func (m *matrix) run(t *testing.T, s situation) {
	k := newKilling(t, s)
	counts := k.rehearse()
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if !m.take(name) {
			continue
		}
		for _, n := range times(counts[name]) {
			if k.kill(name, n) {
				t.Logf("killed after %s, time %d of %d", name, n, counts[name])
				m.note(name, s.name)
			}
		}
		m.giveUp(name)
	}
	k.i.mustStop()
	if !s.unswept { // else nobody removes gatewayd's own directory after a stop
		k.i.mustBeNothing()
	}
}

// times are those of count at which the step is killed after: by chance one, for
// long the first, the last and one between.
func times(count int) []int {
	all := []int{1, count, 1 + rand.IntN(count)}
	slices.Sort(all)
	return longer([]int{1 + rand.IntN(min(count, 2))}, slices.Compact(all))
}

// take says whether a situation is to kill after a step: one of them is, and for
// long each.
func (m *matrix) take(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.come[name] = true
	if !m.wanted[name] || m.taken[name] && !longer(false, true) {
		return false
	}
	m.taken[name] = true
	return true
}

// giveUp leaves a step that did not come again to another situation.
func (m *matrix) giveUp(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken[name] = len(m.struck[name]) > 0
}

func (m *matrix) note(name, situation string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.struck[name] == nil {
		m.struck[name] = map[string]int{}
	}
	m.struck[name][situation]++
}

// report prints the matrix. What gatewayd was not killed after is not proved.
func (m *matrix) report(t *testing.T) {
	kills := 0
	for _, s := range step.All {
		var where []string
		for _, name := range slices.Sorted(maps.Keys(m.struck[s.Name])) {
			kills += m.struck[s.Name][name]
			where = append(where, fmt.Sprintf("%s %d", name, m.struck[s.Name][name]))
		}
		t.Logf("%-26s %s", s.Name, strings.Join(where, ", "))
		switch {
		case !m.come[s.Name]:
			t.Errorf("no situation has step %s (%s)", s.Name, s.Changes)
		case m.wanted[s.Name] && len(where) == 0:
			t.Errorf("gatewayd was never killed after %s (%s)", s.Name, s.Changes)
		}
	}
	t.Logf("%d steps, %d kills", len(step.All), kills)
}

// killing is an instance whose gatewayd can be killed after a step.
type killing struct {
	i *instance
	s situation
	*slate
	steps string // the directory of the build's
}

func newKilling(t *testing.T, s situation) *killing {
	i := newInstance(t, "step-"+s.name)
	k := &killing{i: i, s: s, steps: filepath.Join(i.dir, "steps")}
	mustMkdir(t, k.steps, 0o700)
	i.values["YOUKI"] = "/usr/local/libexec/gatewayd/youki"
	binary := filepath.Join(i.dir, "bin/gatewayd")
	mustMkdir(t, filepath.Dir(binary), 0o755)
	i.install(binary, programs.stepping)
	unit := "Environment=GATEWAYD_STEPS=" + k.steps + "\nExecStart=\nExecStart=" + binary + " run\nExecReload=\nExecReload=" + binary + " reload\nExecStopPost=\n"
	if !s.unswept {
		unit += "ExecStopPost=" + binary + " reap\n"
	}
	i.dropIn(unit)
	k.furnish()
	i.configure(s.config)
	i.mustStart()
	k.slate = i.newSlate(s.ports)
	return k
}

// furnish makes the trees of the gateways. One has all that a copy knows.
func (k *killing) furnish() {
	t, tree := k.i.t, filepath.Join(k.i.dir, "tree")
	must(t, os.RemoveAll(tree))
	mustWrite(t, filepath.Join(k.i.dir, "token"), "a secret of the web gateway")
	mustMkdir(t, filepath.Join(tree, strings.Repeat("d/", 140)), 0o755)
	mustCopy(t, programs.gateway, filepath.Join(tree, "gateway"))
	mustCopy(t, programs.server, filepath.Join(k.i.values["ROOTFS"], "server"))
	must(t, os.Link(filepath.Join(tree, "gateway"), filepath.Join(tree, "linked")))
	must(t, os.Symlink("gateway", filepath.Join(tree, "link")))
}

// rehearse has the situation once without a kill, and counts its steps.
func (k *killing) rehearse() map[string]int {
	k.i.t.Helper()
	k.begin("")
	k.s.act(k)
	k.rest("the rehearsal")
	return k.hits()
}

// begin brings the instance to where the situation begins, and arms a kill.
func (k *killing) begin(armed string) {
	k.i.t.Helper()
	if k.s.before != nil {
		k.s.before(k)
	}
	must(k.i.t, errors.Join(os.RemoveAll(filepath.Join(k.steps, "hits")), os.WriteFile(filepath.Join(k.steps, "kill"), []byte(armed), 0o600)))
}

// kill has the situation once more, in which gatewayd is killed after the nth time
// of a step. It returns false where that did not come again.
func (k *killing) kill(name string, n int) bool {
	k.i.t.Helper()
	armed := fmt.Sprintf("%s:%d", name, n)
	for range 3 {
		k.begin(armed)
		k.s.act(k)
		k.rest("a kill after " + armed)
		if k.struck() {
			return true
		}
	}
	return false
}

func (k *killing) struck() bool {
	_, err := os.Lstat(filepath.Join(k.steps, "kill"))
	return err != nil
}

// hits are the steps that were done, and how often.
func (k *killing) hits() map[string]int {
	text, _ := os.ReadFile(filepath.Join(k.steps, "hits"))
	counts := make(map[string]int)
	for name := range strings.Lines(string(text)) {
		counts[strings.TrimSpace(name)]++
	}
	return counts
}

// rest waits until all is as it should be, and no other steps come: what is done
// when nobody waits for it is a part of the situation, too.
func (k *killing) rest(after string) {
	k.i.t.Helper()
	known, quiet := 0, 0
	eventually(k.i.t, "a clean slate after "+after, func() error {
		if k.i.property("ActiveState") == "failed" || k.i.property("ActiveState") == "inactive" {
			_ = k.i.start() // it was to end
		}
		_ = os.Remove(filepath.Join(k.i.state, "revisions/copied.json.damaged")) // it is for people
		if err := k.clean(); err != nil {
			quiet = 0
			return err
		}
		if now := len(k.hits()); now != known {
			known, quiet = now, 0
		}
		if quiet++; quiet < 3 && !k.struck() {
			time.Sleep(50 * time.Millisecond) // nothing tells that nothing comes
			return errors.New("other steps may come")
		}
		return nil
	})
}
