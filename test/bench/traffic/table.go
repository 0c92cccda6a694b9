package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gatewayd/gatewayd/test/bench/figures"
)

// WriteMarkdown writes the columns side by side, the paths beneath, and what else
// belongs to them.
func (r *Result) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	r.writeColumns(&b)
	if len(r.Paths) > 0 {
		r.writePaths(&b)
	}
	if r.Proxied > 0 {
		fmt.Fprintf(&b, "\nMemory of gatewayd per proxied connection: %.1f KB, of %d idle ones; %s.\n", r.Proxied/1024, r.Idle, r.goals("proxied"))
	} else if r.ProxiedFailed != "" {
		fmt.Fprintf(&b, "\nMemory of gatewayd per proxied connection: fails: %s.\n", r.ProxiedFailed)
	}
	fmt.Fprintf(&b, "\nMeasured in %.0f s. %s\n", r.Took, r.Machine)
	_, err := io.WriteString(w, b.String())
	return err
}

func line(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func (r *Result) goals(row string) string {
	var texts []string
	for _, g := range r.Goals[row] {
		texts = append(texts, g.String())
	}
	return strings.Join(texts, "; ")
}

func (r *Result) writeColumns(b *strings.Builder) {
	head := []string{"what"}
	for _, c := range r.Columns {
		head = append(head, c.Name)
	}
	line(b, append(head, "goal")...)
	b.WriteString("|" + strings.Repeat("---|", len(head)+1) + "\n")
	row := func(key, title string, cell func(*Column) string) {
		cells, empty := []string{title}, true
		for _, c := range r.Columns {
			text := cell(c)
			if c.Failed[key] != "" {
				text = "fails: " + c.Failed[key]
			}
			empty = empty && text == ""
			if text == "" {
				text = "–"
			}
			cells = append(cells, text)
		}
		if !empty {
			line(b, append(cells, r.goals(key))...)
		}
	}
	row("kills", "SIGKILL → next answer, median (p99, max)", func(c *Column) string { return spread(c.Kill) })
	row("slow", "the same, a gateway that needs 2 s to start", func(c *Column) string { return spread(c.Slow) })
	row("crash", "killed under 500 new connections/s: refused, reset, timed out, failed in flight", func(c *Column) string { return crashed(c.Crash) })
	row("deploy", "deployed under the same and 10 kept ones, the gateway lingers: failed of new, of kept; each took", deployed(func(c *Column) *Traffic { return c.Deploy }))
	row("hard", "the same, it closes idle connections at once", deployed(func(c *Column) *Traffic { return c.Hard }))
	row("restart", "`systemctl --user restart` under 500 new connections/s: refused, cut; longest wait", func(c *Column) string { return restarted(c.Restart) })
	row("reexec", "`gatewayd reexec` under load: failed of new, of kept; gap of supervision", deployed(func(c *Column) *Traffic { return c.Reexec }))
	row("memory", "memory of the unit; of the standby", r.memoryOf)
}

func spread(ms []float64) string {
	if len(ms) == 0 {
		return ""
	}
	return fmt.Sprintf("%s ms (%s, %s), %d", number(figures.Median(ms)), number(figures.Quantile(ms, 0.99)), number(slices.Max(ms)), len(ms))
}

func number(v float64) string {
	if v < 20 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func crashed(t *Traffic) string {
	if t == nil {
		return ""
	}
	c := t.Load.Fresh
	text := fmt.Sprintf("%d, %d, %d, %d of %d in %d kills", c.Refused, c.Reset, c.TimedOut, c.Cut, c.OK+c.Failed(), t.Times)
	if c.Wrong > 0 {
		text += fmt.Sprintf("; %d busy", c.Wrong)
	}
	if t.Stray > 0 {
		text += fmt.Sprintf("; %d of the failed in flight in no launch that was killed", t.Stray)
	}
	if t.Rescued > 0 {
		text += fmt.Sprintf("; %d rescued", t.Rescued)
	}
	return text
}

func deployed(of func(*Column) *Traffic) func(*Column) string {
	return func(c *Column) string {
		t := of(c)
		if t == nil {
			return ""
		}
		fresh, kept := t.Load.Fresh, t.Load.Kept
		return fmt.Sprintf("%d of %d, %d of %d; %s", fresh.Failed(), fresh.OK+fresh.Failed(), kept.Failed(), kept.OK+kept.Failed(), spread(t.Each))
	}
}

func restarted(t *Traffic) string {
	if t == nil {
		return ""
	}
	c := t.Load.Fresh
	return fmt.Sprintf("%d, %d; %s ms in %d", c.Refused, c.Failed()-c.Refused, number(c.Latency.Max/1000), t.Times)
}

func (r *Result) memoryOf(c *Column) string {
	if len(c.Memory) == 0 {
		return ""
	}
	text := fmt.Sprintf("%.1f MB", figures.Median(c.Memory)/1e6)
	if without := r.column(none).Memory; c.Key != none && len(without) > 0 {
		text += fmt.Sprintf("; %.1f MB", (figures.Median(c.Memory)-figures.Median(without))/1e6)
	}
	return text
}

func (r *Result) writePaths(b *strings.Builder) {
	b.WriteString("\n")
	line(b, "path", "keep-alive, median (p99)", "added", "new connection", "download", "of direct", "goal")
	b.WriteString("|" + strings.Repeat("---|", 7) + "\n")
	direct := r.Paths[0]
	for _, p := range r.Paths {
		if len(p.Kept) == 0 {
			line(b, p.Name, "fails: "+p.Skipped, "–", "–", "–", "–", "")
			continue
		}
		added, share := "–", "–"
		if p.Key != direct.Key && len(direct.Kept) > 0 {
			added = fmt.Sprintf("%+.0f µs", figures.Median(p.Kept)-figures.Median(direct.Kept))
			share = fmt.Sprintf("%.0f %%", 100*figures.Median(p.Bulk)/figures.Median(direct.Bulk))
		}
		line(b, p.Name, fmt.Sprintf("%.0f µs (%.0f)", figures.Median(p.Kept), figures.Median(p.KeptP99)), added,
			fmt.Sprintf("%.0f µs", figures.Median(p.Fresh)), fmt.Sprintf("%.0f MiB/s", figures.Median(p.Bulk)), share, r.goals(p.Key))
	}
}
