package main

import (
	"fmt"
	"math"
)

// Goal is what was hoped for, and whether it was so.
type Goal struct {
	Text  string `json:"text"`
	Holds bool   `json:"holds"`
}

func (g Goal) String() string {
	if g.Holds {
		return g.Text + ": holds"
	}
	return g.Text + ": missed"
}

// a goal looks at a measure of ours, and at others of the same run. It does not
// know where what it compares was not measured.
type goal func(r *Result, m *Measure) (g Goal, known bool)

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
	return func(_ *Result, m *Measure) (Goal, bool) {
		ours, ok := m.ours()
		return Goal{fmt.Sprintf("≤ %.0f ms", ms), ours <= ms}, ok
	}
}

func memoryAtMost(bytes int64) goal {
	return func(r *Result, m *Measure) (Goal, bool) {
		_, ok := m.ours()
		return Goal{"≤ " + size(bytes), m.Series[0].memory(r.Floor) <= bytes}, ok
	}
}

func timesAsFast(peer int, factor float64) goal {
	return func(_ *Result, m *Measure) (Goal, bool) {
		ratio, ok := m.ratio(peer)
		return Goal{fmt.Sprintf("≥ %.0f × as fast", factor), ratio >= factor}, ok
	}
}

// notSlower holds where the table says "1.0 ×".
func notSlower(peer int) goal {
	return func(_ *Result, m *Measure) (Goal, bool) {
		ratio, ok := m.ratio(peer)
		return Goal{"not slower", math.Round(ratio*10) >= 10}, ok
	}
}

// sameAs compares with another measure of ours.
func sameAs(key, name string, within float64) goal {
	return func(r *Result, m *Measure) (Goal, bool) {
		ours, ok := m.ours()
		other, known := r.find(key, m.Cache)
		if !ok || !known || key == m.Key {
			return Goal{}, false
		}
		reference, known := other.ours()
		return Goal{fmt.Sprintf("%s (%.1f ×)", name, ours/reference), ours <= reference*within}, known
	}
}

// linear compares the time per entry with that of a smaller tree.
func linear(key string) goal {
	return func(r *Result, m *Measure) (Goal, bool) {
		ours, ok := m.ours()
		other, known := r.find(key, m.Cache)
		if !ok || !known {
			return Goal{}, false
		}
		smaller, known := other.ours()
		each, less := ours/float64(m.Entries), smaller/float64(other.Entries)
		text := fmt.Sprintf("linear (%s an entry; %s with %s)", short(each), short(less), grouped(other.Entries))
		return Goal{text, each <= 1.5*less}, known
	}
}

func short(ms float64) string {
	return fmt.Sprintf("%.1f µs", ms*1000)
}
