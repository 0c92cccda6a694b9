package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// slate is what has to be true of an instance whatever was killed before, once it
// has come to rest: exactly one container of each gateway serves, of all earlier
// launches nothing is left, and the journal says what became of them.
type slate struct {
	i        *instance
	ports    map[string]string // of the gateways that answer HTTP: "web": "PORT"
	standbys map[string]bool   // the gateways that have a standby
	bare     map[string]bool   // launches without a container, by their id
	stored   string            // how many sockets systemd keeps
	journal  *chronicle
}

// newSlate takes an instance that has come to rest for what it should be. ports
// are those that its gateways answer at, by the names that configure knows.
func (i *instance) newSlate(ports map[string]string) *slate {
	i.t.Helper()
	s := &slate{i: i, ports: ports, standbys: map[string]bool{}, bare: map[string]bool{}, journal: newChronicle(i)}
	eventually(i.t, "a quiet start", func() error {
		states, err := i.states()
		for name, g := range states {
			s.standbys[name] = g.Standby.Launch > 0
		}
		s.stored = i.property("NFileDescriptorStore")
		if err == nil {
			err = s.clean()
		}
		return err
	})
	return s
}

// withSecret gives the gateway web a secret, at the end of a configuration.
func (i *instance) withSecret(gateways string) string {
	mustWrite(i.t, filepath.Join(i.dir, "token"), "a-secret-of-web")
	return gateways + `
[[gateway.web.secret]]
name = "token"
source = "file:$DIR/token"
`
}

// awaitClean waits until all is as it should be. After says what came before.
func (s *slate) awaitClean(after string) {
	s.i.t.Helper()
	eventually(s.i.t, "a clean slate after "+after, s.clean)
}

// clean returns what is not as it should be.
func (s *slate) clean() error {
	if state := s.i.property("ActiveState"); state != "active" {
		return fmt.Errorf("the unit is %s", state)
	}
	live, err := s.live()
	if err != nil {
		return err
	}
	for _, look := range []func(live []string) error{s.directories, s.alone, s.processes, s.journal.tells} {
		if err := look(live); err != nil {
			return err
		}
	}
	return s.answer()
}

// live are the ids of the launches that serve or stand by.
func (s *slate) live() (ids []string, err error) {
	states, err := s.i.states()
	if err != nil {
		return nil, err
	}
	for name, g := range states {
		switch {
		case g.Phase != "ready" || g.Deploy != nil || len(g.Draining) > 0 || len(g.Leftovers) > 0:
			return nil, fmt.Errorf("%s is %+v", name, g)
		case s.standbys[name] && g.Standby.State != "created" && g.Standby.State != "frozen":
			return nil, fmt.Errorf("%s has no standby: %+v", name, g)
		}
		ids = append(ids, g.ID)
		s.bare[g.ID] = g.Runtime == ""
		if s.standbys[name] {
			ids = append(ids, s.i.idOf(name, g.Standby.Launch))
		}
	}
	if len(states) != len(s.standbys) {
		return nil, fmt.Errorf("the gateways are %v", states)
	}
	slices.Sort(ids)
	return ids, nil
}

// idOf finds the id of a launch, which status tells of the one that serves only.
func (i *instance) idOf(gateway string, launch int) string {
	prefix := fmt.Sprintf("%s-%d-", gateway, launch)
	for _, name := range names(filepath.Join(i.run, "launches")) {
		if strings.HasPrefix(name, prefix) {
			return name
		}
	}
	return prefix
}

// directories: each launch that lives has one of everything, and no other has
// anything. One without a secret has no directory of secrets, and one behind a
// proxy has a tree more, named after it.
func (s *slate) directories(live []string) error {
	found := s.i.traces()
	for what, list := range map[string][]string{
		"cgroup leaves": found.leaves, "launch directories": found.launches, "runtime states": found.containers, "staged trees": found.rootfs,
	} {
		for n, name := range list {
			if id, _, beside := strings.Cut(name, ".listen"); beside {
				list[n] = id
			}
		}
		slices.Sort(list)
		want := live
		if what == "runtime states" {
			want = slices.DeleteFunc(slices.Clone(live), func(id string) bool { return s.bare[id] })
		}
		if list = slices.Compact(list); !slices.Equal(list, want) {
			return fmt.Errorf("%s: %v, and the launches are %v", what, list, want)
		}
	}
	for _, name := range found.secrets {
		if !slices.Contains(live, name) {
			return fmt.Errorf("secrets of %s are left", name)
		}
		if files := names(filepath.Join(s.i.run, "secrets", name)); len(files) > 0 {
			return fmt.Errorf("a path leads to the secrets %v of %s", files, name)
		}
	}
	if len(found.mounts) > 0 {
		return fmt.Errorf("mounts: %v", found.mounts)
	}
	return nil
}

// alone: there is nothing under a name that nobody looks at.
func (s *slate) alone([]string) error {
	for dir, known := range map[string][]string{
		s.i.run:   {"lock", "control.sock", "launches", "runtime", "secrets"},
		s.i.state: {"rootfs", "data", "digests", "stopped", "held", "revisions", "overlays.json"},
	} {
		for _, name := range names(dir) {
			if !slices.Contains(known, name) {
				return fmt.Errorf("%s is left", filepath.Join(dir, name))
			}
		}
	}
	for _, name := range names(filepath.Join(s.i.state, "revisions")) {
		if _, ok := s.standbys[strings.TrimSuffix(name, ".json")]; !ok {
			return fmt.Errorf("%s is left among the revisions", name)
		}
	}
	for _, name := range names(filepath.Join(s.i.state, "digests")) {
		if strings.HasSuffix(name, ".new") {
			return fmt.Errorf("%s is left among the digests", name)
		}
	}
	if stored := s.i.property("NFileDescriptorStore"); stored != s.stored {
		return fmt.Errorf("systemd keeps %s sockets, not %s", stored, s.stored)
	}
	return nil
}

// processes: one gatewayd, one init in each leaf, and nobody outside of them.
func (s *slate) processes(live []string) error {
	inits, main := map[string]int{}, s.i.mainPid()
	for _, p := range s.i.all() {
		leaf := s.i.leafOf(p)
		switch {
		case p.pid == main:
		case p.name == "strace" && p.words == "": // a tracer of a test's that has ended
		case !slices.Contains(live, leaf):
			return fmt.Errorf("process %s is of no launch of %v", p, live)
		case s.bare[leaf]:
			inits[leaf] = 1 // and what it forked
		case isInit(p.pid):
			inits[leaf]++
		}
	}
	for _, id := range live {
		if inits[id] != 1 {
			return fmt.Errorf("%d containers are in the leaf of %s", inits[id], id)
		}
	}
	return nil
}

// isInit says whether a process is the first one of a pid namespace.
func isInit(pid int) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if ids, found := strings.CutPrefix(line, "NSpid:"); found {
			fields := strings.Fields(ids)
			return len(fields) > 1 && fields[len(fields)-1] == "1"
		}
	}
	return false
}

// answer: whoever connects reaches the launch that serves and no other. What a
// program has as its root names the launch.
func (s *slate) answer() error {
	states, err := s.i.states()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.ports)) {
		for range 4 {
			mounts, code, err := s.i.ask(s.ports[name], "/read?path=/proc/self/mountinfo")
			if err != nil || code != 200 {
				return fmt.Errorf("%s answers %d: %w", name, code, err)
			}
			if id := states[name].ID; !strings.Contains(mounts, "/"+id) {
				return fmt.Errorf("what answers for %s is not %s", name, id)
			}
		}
	}
	return nil
}

// Each thing that may be left is noticed: a checker that sees nothing would find
// nothing.
func TestSlateSeesWhatIsLeft(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "slate")
	i.configure(listening)
	i.mustStart()
	s := i.newSlate(map[string]string{"web": "PORT"})
	dirty := func(what string, mend func()) {
		t.Helper()
		if err := s.clean(); err == nil {
			t.Errorf("a %s is not noticed", what)
		}
		mend()
		s.awaitClean(what)
	}
	for _, dir := range []string{
		filepath.Join(i.run, "launches/web-9-aaaaaaaaaa"), filepath.Join(i.run, "runtime/web-9-aaaaaaaaaa"),
		filepath.Join(i.run, "secrets/web-9-aaaaaaaaaa"), filepath.Join(i.state, "rootfs/.staging-web-9-aaaaaaaaaa-b"),
		filepath.Join(i.run, "secrets", i.awaitReady("web").ID, "token"), filepath.Join(i.cgroups()[0], "web-9-aaaaaaaaaa"), filepath.Join(i.state, "revisions/.new-1"),
		filepath.Join(i.state, "digests/x.new"), filepath.Join(i.state, "unheard-of"),
	} {
		mustMkdir(t, dir, 0o700)
		dirty(dir, func() { must(t, os.Remove(dir)) })
	}
	stray := exec.Command(programs.gateway, "await="+filepath.Join(i.run, "never"))
	must(t, stray.Start())
	dirty("process that names our directory", func() {
		_ = stray.Process.Kill()
		_ = stray.Wait() // killed
	})
	s.journal.last["web-9-aaaaaaaaaa"] = "launch-started"
	dirty("launch of which the journal says no more", func() { delete(s.journal.last, "web-9-aaaaaaaaaa") })
	s.journal.begun["0123"] = true
	dirty("gatewayd of which it says no more", func() { delete(s.journal.begun, "0123") })
}
