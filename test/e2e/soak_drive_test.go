package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/internal/control"
)

// soak drives the launches of one instance. It asks for the status by itself:
// thousands of processes that do would have most of the processors.
type soak struct {
	*instance
	client   *control.Client
	versions []string
	step     int // of deploys
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	i := newInstance(t, "soak")
	s := &soak{instance: i, client: control.Dial(filepath.Join(i.run, "control.sock")), versions: []string{i.version("two"), i.version("three")}}
	s.configureTurn()
	i.mustStart()
	return s
}

// round makes n launches, some more or less, and with reexec some images as well,
// of which the last one makes launches of its own: it does not take over all that
// it would know of them.
func (s *soak) round(n int, reexec bool) {
	s.t.Helper()
	s.drive(n/5, reexec)
	if reexec {
		s.becomesAnother()
		s.drive(1, false)
	}
}

// drive has each gateway make so many launches, all at the same time. In the end
// brief, which never rests, is stopped.
func (s *soak) drive(each int, reexec bool) {
	s.t.Helper()
	var group sync.WaitGroup
	for name, drive := range map[string]func(string, int){
		"brief": s.exits, "killed": s.kills, "created": s.kills, "warm": s.kills,
		"web": func(name string, n int) { s.deploys(name, n, reexec) },
	} {
		group.Go(func() { drive(name, each) })
	}
	group.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// status has all gateways by name.
func (s *soak) status() (map[string]control.Gateway, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	report, err := s.client.Status(ctx)
	byName := make(map[string]control.Gateway)
	for _, g := range report.Gateways {
		byName[g.Name] = g
	}
	return byName, err
}

// until waits for a gateway to be as it should be.
func (s *soak) until(name string, is func(control.Gateway) bool) (found control.Gateway) {
	s.t.Helper()
	eventually(s.t, name, func() error {
		all, err := s.status()
		if found = all[name]; err == nil && !is(found) {
			err = fmt.Errorf("it is %+v", found)
		}
		return err
	})
	return found
}

// made is how many launches there were.
func (s *soak) made() (n int) {
	s.t.Helper()
	all, err := s.status()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, g := range all {
		n += last(g)
	}
	return n
}

func last(g control.Gateway) int {
	if g.Standby != nil {
		return max(g.Launch, g.Standby.Launch)
	}
	return g.Launch
}

// exits lets a gateway that never rests make n launches.
func (s *soak) exits(name string, n int) {
	g := s.until(name, exists)
	s.gatewayd("start", name) // its first launch may have ended, which is a failure
	for end := g.Launch + n; g.Launch < end; {
		before := g.Launch
		g = s.until(name, func(now control.Gateway) bool { return now.Launch > before })
	}
	s.does("stop", name)
}

// kills kills a gateway n times, each time when it is ready and its standby waits.
func (s *soak) kills(name string, n int) {
	for g := s.until(name, settled); n > 0; n-- {
		if err := kill(g.Pid, syscall.SIGKILL); err != nil {
			s.t.Errorf("kill %s: %v", name, err)
		}
		killed := g.Launch
		g = s.until(name, func(now control.Gateway) bool { return now.Launch > killed && settled(now) })
	}
}

// deploys makes n launches by all that a person does to a gateway that serves.
// With reexec gatewayd becomes another image now and then, whatever the others do.
func (s *soak) deploys(name string, n int, reexec bool) {
	for g := s.until(name, settled); n > 0; n-- {
		s.deploy(name, s.step)
		if s.step++; reexec && s.step%10 == 0 {
			s.mayBecomeAnother()
		}
		before := g.Launch
		g = s.until(name, func(now control.Gateway) bool { return now.Launch > before && settled(now) })
	}
}

func exists(g control.Gateway) bool { return g.Name != "" }

// settled tells whether a gateway has all that it shall have, and nothing else.
func settled(g control.Gateway) bool {
	standbys := map[string]string{"created": "created", "warm": "frozen"}
	if want := standbys[g.Name]; want != "" && (g.Standby == nil || g.Standby.State != want) {
		return false
	}
	return g.Ready && g.Deploy == nil && len(g.Draining) == 0
}

func (s *soak) deploy(name string, step int) {
	switch step % 5 {
	case 0, 1:
		s.does("deploy", name, "--rootfs", s.versions[step%5])
	case 2:
		s.does("rollback", name)
	case 3:
		s.configureTurn()
		s.does("reload")
	case 4:
		s.does("restart", name)
	}
}

// mayBecomeAnother is a reexec whatever the others do, which is refused while that
// cannot be taken over, as it may be for long on a busy machine: the image goes on then.
func (s *soak) mayBecomeAnother() {
	if _, stderr, code := s.gatewayd("reexec"); code != 0 && !strings.Contains(stderr, "suspend ") {
		s.t.Errorf("reexec: exit code %d: %s", code, stderr)
	}
}

// becomesAnother is one while all rest.
func (s *soak) becomesAnother() {
	s.t.Helper()
	eventually(s.t, "a reexec", func() error {
		if _, stderr, code := s.gatewayd("reexec"); code != 0 {
			return errors.New(stderr)
		}
		return nil
	})
}

// does is must in a goroutine other than the test's.
func (s *soak) does(args ...string) {
	if stdout, stderr, code := s.gatewayd(args...); code != 0 {
		s.t.Errorf("gatewayd %v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
}

// configureTurn changes what is configured of web.
func (s *soak) configureTurn() {
	s.values["TURN"] = strconv.Itoa(s.step)
	s.configure(soaked)
}

// settled waits until there is as much of everything as before, and returns how
// much that is. Without a before it is what stays the same for a while.
func (s *soak) settled(before census) (now census) {
	s.t.Helper()
	eventually(s.t, "nothing more and nothing less", func() (err error) {
		then := before
		if then == nil {
			then = now
		}
		if now, err = s.census(); err != nil {
			return err
		}
		return now.as(then)
	})
	return now
}
