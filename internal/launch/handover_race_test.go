package launch

import (
	"testing"

	"github.com/gatewayd/gatewayd/internal/config"
)

// A launch that ends while it is handed over has what it had of its ports, or has given
// it back. A slot that was held, and by no launch, was missing to the gateway for ever.
func TestEndDuringAHandoverLeavesNoSlotBehind(t *testing.T) {
	h := &Host{Dirs: dirsIn(t.TempDir())}
	l := NewLauncher(h)
	g := config.Gateway{Name: "web"}
	for _, name := range []string{"first", "last"} { // to give the first one back takes a moment
		g.Listen = append(g.Listen, config.Listen{Name: name, Address: freeAddress(t), Mode: "inherit", Backlog: 16})
	}
	must(t, l.Define(g.Revision(), g))
	defer func() { must(t, l.Close()) }()
	last := l.ports.all()[1]
	for n := range 300 {
		la := newLaunch(h, &l.ports, g, n+1)
		must(t, la.takePorts(t.Context()))
		released := make(chan struct{})
		go func() {
			defer close(released)
			la.releasePorts()
		}()
		for over := false; !over; {
			select {
			case <-released:
				over = true
			default:
			}
			if states := la.heldStates(); len(states) > 0 {
				continue
			}
			if left := last.State().Held; len(left) > 0 {
				t.Fatalf("launch %d has no slot, and slots %v are held", n+1, left)
			}
		}
	}
}
