package control

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// writeSection writes lines below a title; without lines, nothing.
func writeSection(w io.Writer, title string, lines []string) {
	for i, line := range lines {
		if i == 0 {
			fmt.Fprintf(w, "\n%s:\n", title)
		}
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// details is what a line of the table has no room for.
func details(g Gateway, now time.Time) []string {
	return slices.Concat(trouble(g, now), traffic(g, now), staging(g), isolation(g, now), leftovers(g.Leftovers))
}

// trouble is why a gateway is not ready, or might not be for long, and when that may change.
func trouble(g Gateway, now time.Time) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if !g.Ready && g.Cause != "" {
		at := ""
		if !g.CauseAt.IsZero() {
			at = " " + since(g.CauseAt, now) + " ago"
		}
		add("last launch ended%s: %s", at, printable(g.Cause))
	}
	if g.ProbeError != "" {
		add("probe: %s", printable(g.ProbeError))
	}
	if g.Phase == "held" {
		add("held until its configuration, a secret or its source changes; gatewayd start %s tries at once", printable(g.Name))
	}
	if g.RuntimeChanged != "" {
		add("runtime %s", printable(g.RuntimeChanged))
	}
	if g.Failures > 1 {
		add("failed %d times in a row", g.Failures)
	}
	if !g.Next.IsZero() {
		add("next launch in %s", since(now, g.Next))
	}
	return lines
}

// staging is what the launch was made from, and how.
func staging(g Gateway) []string {
	if g.Stage == "" {
		return nil
	}
	line := "staged by " + printable(g.Stage)
	if g.Digest != "" {
		line += " from " + printable(g.Digest)
	}
	if g.IDs == "range" {
		line += ", with a range of ids"
	}
	lines := []string{line}
	if g.StageReason != "" {
		lines = append(lines, "not by "+otherStage(g.Stage)+": "+printable(g.StageReason))
	}
	if g.SourceChanged != "" {
		lines = append(lines, "source has changed under it: "+printable(g.SourceChanged))
	}
	return lines
}

func otherStage(stage string) string {
	if stage == "copy" {
		return "overlay"
	}
	return "copy"
}

func leftovers(paths []string) []string {
	lines := make([]string, len(paths))
	for i, path := range paths {
		lines[i] = "not cleaned: " + printable(path)
	}
	return lines
}
