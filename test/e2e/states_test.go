package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// states of a launch, and how its container is found there. Each is killed, and
// what is left then is a launch that serves.
var containerStates = map[string]func(*states){
	"preparing":  (*states).preparing,
	"created":    func(s *states) { s.killInit(s.standby("created", "created")) },
	"letting go": (*states).lettingGo,
	"starting":   func(s *states) { s.killInit(s.next("sleep=300ms")) },
	"warming":    (*states).warming,
	"frozen":     func(s *states) { s.killInit(s.standby("warm", "frozen")) },
	"thawing":    (*states).thawing,
	"ready":      func(s *states) { s.killInit(s.i.awaitReady("web").ID) },
	"canary":     func(s *states) { s.canary(); s.killInit(s.deploying()) },
	"beside canary": func(s *states) {
		s.canary()
		s.deploying()
		s.killInit(s.i.await("web", "there", func(state) bool { return true }).ID)
	},
	"draining": (*states).draining,
	"stopping": (*states).stopping,
	"cleaning": (*states).cleaning,
}

// Whatever the state of a launch in which its container is killed, nothing of it
// is left, and one serves.
func TestContainerKilledInEachState(t *testing.T) {
	for name, kill := range containerStates {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			s := &states{t: t, i: newInstance(t, "cs-"+strings.ReplaceAll(name, " ", ""))}
			s.configure()
			s.i.order()
			s.i.version("two")
			s.i.mustStart()
			for range longer(1, 20) {
				s.slate = s.i.newSlate(map[string]string{"web": "PORT"})
				clients := s.i.startFew("PORT")
				<-clients.ready
				kill(s)
				s.slate.awaitClean("a kill when " + name)
				clients.stop(t, refused)
				s.configure()
				s.i.must("reload")
			}
			s.i.mustStop()
			s.i.mustBeNothing()
		})
	}
}

type states struct {
	t     *testing.T
	i     *instance
	slate *slate
}

// configure has the program take a step before it serves, and has more keys.
func (s *states) configure(keys ...string) { s.steps("", keys...) }

func (s *states) steps(step string, keys ...string) {
	text := strings.Replace(listening, `"serve=inherit"`, step+`"serve=inherit"`, 1)
	text = strings.Replace(text, "ready.interval", "restart.reset_after = \"20ms\"\n"+strings.Join(keys, "\n")+"\nready.interval", 1)
	s.i.disobedient("log_level = \"debug\"\n" + s.i.withSecret(text))
}

// next has the launch that serves end, and returns the id of the one after it when
// it has an init.
func (s *states) next(step string) string {
	s.steps(`"` + step + `", `)
	s.background("reload")
	return s.beginning(s.i.awaitState().Launch + 1)
}

func (s *states) background(args ...string) {
	command := s.i.command(args...)
	must(s.t, command.Start())
	s.t.Cleanup(func() { _ = command.Wait() })
}

// beginning waits for the init of a launch.
func (s *states) beginning(launch int) (id string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("an init of launch %d", launch), func() error {
		id = s.i.idOf("web", launch)
		_, err := s.init(id)
		return err
	})
	return id
}

// init is the first process of a launch's container.
func (s *states) init(id string) (int, error) {
	for _, p := range s.i.all() {
		if s.i.leafOf(p) == id && isInit(p.pid) {
			return p.pid, nil
		}
	}
	return 0, fmt.Errorf("no init in %s", id)
}

func (s *states) killInit(id string) {
	s.t.Helper()
	pid, err := s.init(id)
	must(s.t, err)
	s.kill(pid)
}

func (s *states) kill(pid int) {
	s.t.Helper()
	if err := kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.t.Fatal(err)
	}
}

// awaitState is what status says now, in whatever phase.
func (i *instance) awaitState() state {
	return i.await("web", "known", func(s state) bool { return s.Launch > 0 })
}

// preparing: the init is there, and create has not returned.
func (s *states) preparing() {
	s.i.order("create web- hold")
	before := s.i.awaitState().Launch
	s.background("restart", "web")
	s.killInit(s.beginning(before + 1))
	s.i.order()
}

// lettingGo: the program runs already, and start has not returned.
func (s *states) lettingGo() {
	s.i.order("start web- hold")
	before := s.i.awaitState().Launch
	s.background("restart", "web")
	id := s.beginning(before + 1)
	s.i.awaitCall("start")
	s.killInit(id)
	s.i.order()
}

// standby waits for one, and returns its id.
func (s *states) standby(kind, what string) string {
	s.configure(`standby = "` + kind + `"`)
	s.i.must("reload")
	ready := s.i.await("web", "with a standby", func(g state) bool { return g.Phase == "ready" && g.Standby.State == what })
	s.slate.standbys["web"] = true
	return s.i.idOf("web", ready.Standby.Launch)
}

// warming: a standby that is started and not frozen yet.
func (s *states) warming() {
	s.steps(`"sleep=1s", `, `standby = "warm"`)
	s.i.must("reload")
	s.slate.standbys["web"] = true
	ready := s.i.await("web", "warming", func(g state) bool { return g.Phase == "ready" && g.Standby.Launch > 0 && g.Standby.State != "frozen" })
	s.killInit(s.beginning(ready.Standby.Launch))
}

// thawing: the standby takes over, and goes as well.
func (s *states) thawing() {
	id := s.standby("warm", "frozen")
	first, err := s.init(s.i.awaitReady("web").ID)
	must(s.t, err)
	second, err := s.init(id)
	must(s.t, err)
	s.kill(first)
	s.kill(second)
}

func (s *states) canary() {
	s.background("deploy", "web", "--rootfs", filepath.Join(s.i.dir, "two"), "--canary", "50%", "--for", "2s")
	s.i.await("web", "with a canary", func(g state) bool { return g.Deploy != nil && g.Deploy.Stage == "canary" })
}

func (s *states) deploying() string {
	return s.i.idOf("web", s.i.await("web", "deploying", func(g state) bool { return g.Deploy != nil }).Deploy.Launch)
}

// draining: the launch before a deploy, with a request that takes its time.
func (s *states) draining() {
	before := s.i.awaitReady("web")
	pid, err := s.init(before.ID)
	must(s.t, err)
	s.i.tell("PORT", "deaf")
	go func() { _, _, _ = s.i.ask("PORT", "/") }()
	s.background("deploy", "web", "--rootfs", filepath.Join(s.i.dir, "two"))
	s.i.await("web", "draining", func(g state) bool { return len(g.Draining) > 0 })
	s.kill(pid)
}

// stopping: it was asked to end, and takes no notice.
func (s *states) stopping() {
	before := s.i.awaitReady("web")
	s.i.tell("PORT", "ignore=TERM")
	eventually(s.t, "a program that ignores SIGTERM", func() error {
		mask, err := ignoredSignals(before.Pid)
		if err == nil && mask&(1<<(syscall.SIGTERM-1)) == 0 {
			err = fmt.Errorf("it ignores %#x", mask)
		}
		return err
	})
	s.background("restart", "web")
	s.i.await("web", "stopping", func(g state) bool { return g.Phase == "stopping" })
	s.killInit(before.ID)
}

// cleaning: the container is dead, and its runtime call is killed that removes it.
func (s *states) cleaning() {
	s.i.order("delete web- hang")
	s.kill(s.i.awaitReady("web").Pid)
	s.i.awaitCall("delete")
	s.i.order()
	for _, p := range s.i.all() {
		if strings.Contains(p.words, " delete ") {
			s.kill(p.pid)
		}
	}
}

// ignoredSignals is the mask of them, signal 1 at the lowest bit (proc_pid_status(5)).
func ignoredSignals(pid int) (mask uint64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(data), "\nSigIgn:")
	_, err = fmt.Sscanf(after, "%x", &mask)
	return mask, err
}
