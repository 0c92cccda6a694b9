package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gatewayd/gatewayd/test/bench/figures"
)

// WriteMarkdown writes the table, a line for each contender that ours are beside,
// and beneath it what else belongs to it.
func (r *Result) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	row := func(cells ...string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	row("tree", "what", "cache", "gatewayd", "against", "×", "goal")
	b.WriteString("|---|---|---|---|---|---|---|\n")
	for i := range r.Measures {
		m := &r.Measures[i]
		tree := m.Tree
		if i > 0 && r.Measures[i-1].Tree == tree {
			tree = ""
		}
		goals := make([]string, len(m.Goals))
		for i, g := range m.Goals {
			goals[i] = g.String()
		}
		against, ratio := m.peer(0, r.Floor)
		row(tree, m.What, m.Cache, m.cell(m.Series[0], r.Floor), against, ratio, strings.Join(goals, "; "))
		for i := 1; i < len(m.Series)-1; i++ {
			against, ratio := m.peer(i, r.Floor)
			row("", "", "", "", against, ratio, "")
		}
	}
	r.notes(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (m *Measure) peer(i int, floor int64) (text, ratio string) {
	if i+1 >= len(m.Series) {
		return "–", "–"
	}
	s := m.Series[i+1]
	if s.Skipped != "" {
		return s.Name + " " + m.cell(s, floor), "–"
	}
	if times, ok := m.ratio(i); ok {
		ratio = fmt.Sprintf("%.1f", times)
	}
	return s.Name + " " + m.cell(s, floor), ratio
}

func (m *Measure) cell(s Series, floor int64) string {
	if s.Skipped != "" {
		return "fails: " + strings.Join(strings.Fields(s.Skipped), " ")
	}
	if len(m.times(s)) == 0 {
		return "–"
	}
	if m.Inside {
		return fmt.Sprintf("%s; as a process %s", span(s.Call), duration(figures.Median(s.Process)))
	}
	text := span(s.Process)
	if rss := s.memory(floor); rss > 0 {
		text += fmt.Sprintf(", %.0f MB", float64(rss)/1e6)
	}
	if ms := figures.Median(s.Process); ms < 20 && len(s.Call) > 0 {
		text += "; the call " + duration(figures.Median(s.Call))
	}
	return text
}

// span is a median and its range.
func span(samples []float64) string {
	return fmt.Sprintf("%s (%s–%s)", duration(figures.Median(samples)), number(slices.Min(samples)), number(slices.Max(samples)))
}

func duration(ms float64) string { return number(ms) + " ms" }

func number(ms float64) string {
	switch {
	case ms < 1:
		return fmt.Sprintf("%.2f", ms)
	case ms < 20:
		return fmt.Sprintf("%.1f", ms)
	}
	return grouped(int64(ms + 0.5))
}

func (r *Result) notes(b *strings.Builder) {
	fmt.Fprintf(b, "\nMedians of %d (lowest–highest) of whole processes; ×: how many times as long as gatewayd. Memory: the most (RSS) of all, where it is more than %.0f MB or of gatewayd.", r.Samples, float64(r.Floor)/1e6)
	b.WriteString(" Overlays: the call alone, and beside it the process.")
	if r.WarmOnly != "" {
		fmt.Fprintf(b, "\nNothing cold was measured: %s.", r.WarmOnly)
	} else {
		b.WriteString(" Cold: page cache, directory entries and inodes dropped before each.")
	}
	fmt.Fprintf(b, "\nFile system: %s", r.FileSystem)
	if r.Reflink != "" {
		fmt.Fprintf(b, "; with reflinks: %s", r.Reflink)
	}
	if r.On != "" {
		b.WriteString("; on " + r.On)
	}
	fmt.Fprintf(b, ".\n\n%s\n", r.Machine)
}
