package main

import (
	"fmt"
	"slices"

	"github.com/gatewayd/gatewayd/test/bench/figures"
)

// conclude says of each goal whether it holds. What was not measured has none.
func (r *Result) conclude() {
	r.Goals = map[string][]figures.Goal{}
	kill := func(c *Column) []float64 { return c.Kill }
	r.atMostOf("kills", created, bare, 0.3, kill)
	r.atMostOf("kills", warm, bare, 0.1, kill)
	r.timesAsFast("kills", warm, podman, 100, kill)
	slow := func(c *Column) []float64 { return c.Slow }
	r.atMostOf("slow", warm, bare, 0.1, slow)
	r.timesAsFast("slow", warm, podman, 100, slow)
	r.nothing("crash", "0 refused, 0 timed out, only those in flight", (*Column).crash, func(t *Traffic) int {
		return t.Load.Fresh.Refused + t.Load.Fresh.TimedOut + t.Load.Fresh.Wrong + t.Stray
	})
	r.nothing("deploy", "0 failed", (*Column).deploy, failed)
	r.nothing("hard", "0 failed of new connections", (*Column).hard, func(t *Traffic) int { return t.Load.Fresh.Failed() })
	r.nothing("restart", "0 refused", (*Column).restart, func(t *Traffic) int { return t.Load.Fresh.Refused })
	r.nothing("reexec", "0 failed", (*Column).reexec, failed)
	r.longestWait()
	r.paths()
	r.memory()
}

func (c *Column) crash() *Traffic   { return c.Crash }
func (c *Column) deploy() *Traffic  { return c.Deploy }
func (c *Column) hard() *Traffic    { return c.Hard }
func (c *Column) restart() *Traffic { return c.Restart }
func (c *Column) reexec() *Traffic  { return c.Reexec }

func failed(t *Traffic) int { return t.Load.Fresh.Failed() + t.Load.Kept.Failed() }

func (r *Result) goal(row string, holds bool, format string, args ...any) {
	r.Goals[row] = append(r.Goals[row], figures.Goal{Text: fmt.Sprintf(format, args...), Holds: holds})
}

func (r *Result) ratio(ours, theirs string, of func(*Column) []float64) (float64, bool) {
	a, b := of(r.column(ours)), of(r.column(theirs))
	if len(a) == 0 || len(b) == 0 {
		return 0, false
	}
	return figures.Median(a) / figures.Median(b), true
}

func (r *Result) atMostOf(row, ours, theirs string, factor float64, of func(*Column) []float64) {
	if ratio, ok := r.ratio(ours, theirs, of); ok {
		r.goal(row, ratio <= factor, "%s ≤ %.1f × bare (%.3f)", standby[ours], factor, ratio)
	}
}

func (r *Result) timesAsFast(row, ours, theirs string, factor float64, of func(*Column) []float64) {
	if ratio, ok := r.ratio(ours, theirs, of); ok {
		r.goal(row, 1/ratio >= factor, "%s ≥ %.0f × as fast as podman (%.0f)", standby[ours], factor, 1/ratio)
	}
}

// nothing is a goal of all three of ours at once.
func (r *Result) nothing(row, text string, of func(*Column) *Traffic, count func(*Traffic) int) {
	known, sum := false, 0
	for _, key := range []string{none, created, warm} {
		if t := of(r.column(key)); t != nil {
			known, sum = true, sum+count(t)
		}
	}
	if known {
		r.goal(row, sum == 0, "%s", text)
	}
}

func (r *Result) longestWait() {
	theirs := r.column(socket).Restart
	if theirs == nil {
		return
	}
	limit, ours, known := theirs.Load.Fresh.Latency.Max+60e3, 0.0, false
	for _, key := range []string{none, created, warm} {
		if t := r.column(key).Restart; t != nil {
			known, ours = true, max(ours, t.Load.Fresh.Latency.Max)
		}
	}
	if known {
		r.goal("restart", ours <= limit, "≤ .socket + 60 ms (%.0f ms)", (ours-limit)/1000+60)
	}
}

func (r *Result) paths() {
	direct, inherit, unix := r.path(bare), r.path(none), r.path(proxyUnix)
	if len(direct.Kept) == 0 {
		return
	}
	if len(inherit.Kept) > 0 {
		r.goal(none, figures.Median(inherit.Kept) <= slices.Max(direct.Kept),
			"none measurable: within the turns of direct (%.0f–%.0f µs)", slices.Min(direct.Kept), slices.Max(direct.Kept))
	}
	if len(unix.Kept) > 0 {
		added := figures.Median(unix.Kept) - figures.Median(direct.Kept)
		r.goal(proxyUnix, added <= 30, "≤ 30 µs added")
		share := figures.Median(unix.Bulk) / figures.Median(direct.Bulk)
		r.goal(proxyUnix, share >= 0.45, "≥ 45 %% of direct")
	}
}

func (r *Result) memory() {
	if without, with := r.column(none).Memory, r.column(created).Memory; len(without) > 0 && len(with) > 0 {
		grown := figures.Median(with) - figures.Median(without)
		r.goal("memory", grown <= 2e6, "created ≤ 2 MB")
	}
	if r.Proxied > 0 {
		r.goal("proxied", r.Proxied <= 16<<10, "≤ 16 KB")
	}
}
