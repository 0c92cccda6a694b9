package main

import (
	"fmt"
	"math"

	"github.com/gatewayd/gatewayd/test/bench/figures"
)

// a goal looks at a measure of ours, and at others of the same run. It does not
// know where what it compares was not measured.
type goal func(r *Result, m *Measure) (g figures.Goal, known bool)

// conclude says of each goal whether it holds.
func (r *Result) conclude() {
	r.Floor = mostMemory()
	for i := range r.Measures {
		r.concludeOn(&r.Measures[i])
	}
}

func (r *Result) concludeOn(m *Measure) {
	for _, g := range m.goals {
		if goal, known := g(r, m); known {
			m.Goals = append(m.Goals, goal)
		}
	}
}

func atMost(ms float64) goal {
	return func(_ *Result, m *Measure) (figures.Goal, bool) {
		ours, ok := m.ours()
		return figures.Goal{Text: fmt.Sprintf("≤ %.0f ms", ms), Holds: ours <= ms}, ok
	}
}

func memoryAtMost(bytes int64) goal {
	return func(r *Result, m *Measure) (figures.Goal, bool) {
		_, ok := m.ours()
		return figures.Goal{Text: "≤ " + size(bytes), Holds: m.Series[0].memory(r.Floor) <= bytes}, ok
	}
}

func timesAsFast(peer int, factor float64) goal {
	return func(_ *Result, m *Measure) (figures.Goal, bool) {
		ratio, ok := m.ratio(peer)
		return figures.Goal{Text: fmt.Sprintf("≥ %.0f × as fast", factor), Holds: ratio >= factor}, ok
	}
}

// notSlower holds where the table says "1.0 ×".
func notSlower(peer int) goal {
	return func(_ *Result, m *Measure) (figures.Goal, bool) {
		ratio, ok := m.ratio(peer)
		return figures.Goal{Text: "not slower", Holds: math.Round(ratio*10) >= 10}, ok
	}
}

// sameAs compares with another measure of ours.
func sameAs(key, name string, within float64) goal {
	return func(r *Result, m *Measure) (figures.Goal, bool) {
		ours, ok := m.ours()
		other, known := r.find(key, m.Cache)
		if !ok || !known || key == m.Key {
			return figures.Goal{}, false
		}
		reference, known := other.ours()
		return figures.Goal{Text: fmt.Sprintf("%s (%.1f ×)", name, ours/reference), Holds: ours <= reference*within}, known
	}
}

// linear compares the time per entry with that of a smaller tree.
func linear(key string) goal {
	return func(r *Result, m *Measure) (figures.Goal, bool) {
		ours, ok := m.ours()
		other, known := r.find(key, m.Cache)
		if !ok || !known {
			return figures.Goal{}, false
		}
		smaller, known := other.ours()
		each, less := ours/float64(m.Entries), smaller/float64(other.Entries)
		text := fmt.Sprintf("linear (%s an entry; %s with %s)", short(each), short(less), grouped(other.Entries))
		return figures.Goal{Text: text, Holds: each <= 1.5*less}, known
	}
}

func short(ms float64) string {
	return fmt.Sprintf("%.1f µs", ms*1000)
}
