package e2e

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
)

// Whatever people, crashes and reloads do at the same time, in the end there is
// one container a gateway and nothing else.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "at-once")
	i.configure(two)
	i.mustStart()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range longer(12, 100) {
				i.meddle()
			}
		})
	}
	group.Wait()
	for _, name := range []string{"web", "forks"} {
		i.must("start", name)
	}
	eventually(t, "one container a gateway", func() error { return i.exactly(2) })
	i.mustStop()
	i.mustBeNothing()
}

// meddle does one thing; that another gets in its way is no failure.
func (i *instance) meddle() {
	name := []string{"web", "forks"}[rand.IntN(2)]
	switch rand.IntN(6) {
	case 0:
		i.gatewayd("stop", name)
	case 1, 2:
		i.gatewayd("start", name)
	case 3:
		i.gatewayd("restart", name)
	case 4:
		i.gatewayd("reload")
	case 5:
		if states, err := i.states(); err == nil && states[name].Pid > 1 {
			_ = kill(states[name].Pid, syscall.SIGKILL)
		}
	}
}
