package supervisor

import (
	"math/rand/v2"
	"testing"
)

// FuzzMachine moves a machine at random in a model of the world and holds it to its invariants: each Prepare is
// followed by exactly one successful Clean before the number is forgotten, at most one launch serves, nothing is
// started while a process of an earlier launch may be left, no state is without event or deadline, a late input
// causes nothing, every request is answered once, and a stop always ends in stopped.
func FuzzMachine(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 800 {
		seed := make([]byte, 20+random.IntN(800))
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newModel(t, data)
		if w.m.phase == Held {
			w.step(tick{})
		} else {
			w.step(askStart{w.somebody()})
		}
		for len(w.data) > 0 && !w.finished {
			w.move()
		}
		w.bringUp()
		w.bringDown()
	})
}
