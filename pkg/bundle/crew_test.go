package bundle

import (
	"sync/atomic"
	"testing"
)

// Every task runs once, however they spread.
func TestCrewDoesAll(t *testing.T) {
	for _, size := range []int{1, 2, 7} {
		var done atomic.Int64
		var grow func(levels int) task
		grow = func(levels int) task {
			return func(w *worker) {
				done.Add(1)
				for range 3 * min(levels, 1) {
					w.crew.add(grow(levels - 1))
				}
			}
		}
		runCrew(size, grow(6))
		if done.Load() != 1093 { // 3⁰ + … + 3⁶
			t.Errorf("%d workers did %d tasks", size, done.Load())
		}
	}
}

// A lone worker takes the newest task first: depth before breadth.
func TestCrewGoesDeepFirst(t *testing.T) {
	var order []int
	runCrew(1, func(w *worker) {
		for i := range 3 {
			w.crew.add(func(w *worker) {
				order = append(order, i)
				if i == 2 {
					w.crew.add(func(*worker) { order = append(order, 9) })
				}
			})
		}
	})
	if want := []int{2, 9, 1, 0}; len(order) != 4 || [4]int(order) != [4]int(want) {
		t.Errorf("order %v, want %v", order, want)
	}
}
