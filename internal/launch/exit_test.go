package launch

import (
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// events is what a memory.events file says.
type events runtime.MemoryEvents

func (e events) Memory() (runtime.MemoryEvents, error) { return runtime.MemoryEvents(e), nil }

func TestOOM(t *testing.T) {
	killed, segv := runtime.Status{Signal: syscall.SIGKILL}, runtime.Status{Signal: syscall.SIGSEGV}
	for name, c := range map[string]struct {
		status   runtime.Status
		survived int64
		events   events
		want     bool
	}{
		"the program was killed":           {killed, 0, events{1, true}, true},
		"a child before, the program now":  {killed, 2, events{3, true}, true},
		"a child before, an operator now":  {killed, 2, events{2, true}, false},
		"an operator":                      {killed, 0, events{0, true}, false},
		"no controller":                    {killed, 0, events{0, false}, false},
		"a child, then a fault of its own": {segv, 0, events{1, true}, false},
		"a child, then an end of its own":  {runtime.Status{}, 0, events{1, true}, false},
	} {
		la := &launch{host: &Host{}}
		la.info.Store(&Info{})
		la.survived.Store(c.survived)
		if exit := la.exit(c.status, &bare{}, c.events); exit.OOM != c.want || exit.Signal != c.status.Signal {
			t.Errorf("%s: exit = %+v, want OOM %v", name, exit, c.want)
		}
	}
}
