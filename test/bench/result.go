package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/figures"
	"github.com/gatewayd/gatewayd/test/bench/machine"
	"github.com/gatewayd/gatewayd/test/bench/redaction"
	"github.com/gatewayd/gatewayd/test/bench/service"
)

// Result is all that a run measured. With -json it is printed as it is.
type Result struct {
	Machine machine.Machine `json:"machine"`
	Samples int             `json:"samples"`
	Columns []Figures       `json:"columns"`

	Guarded   *Guarded         `json:"guarded,omitempty"`
	Redaction []redaction.Cost `json:"redaction"` // of the gateways' output
}

// Figures are those of one column.
type Figures struct {
	Key     string    `json:"key"`
	Name    string    `json:"name"`
	Skipped string    `json:"skipped,omitempty"`    // why there are none
	Start   []float64 `json:"start_ms,omitempty"`   // systemctl start → first answer
	Restart []float64 `json:"restart_ms,omitempty"` // SIGKILL → next answer
	Idle    *Idle     `json:"idle,omitempty"`
}

// Idle is what the supervisor holds and uses while nothing happens.
type Idle struct {
	Processes  []string `json:"processes"`
	PSS        uint64   `json:"pss_bytes"`
	RSS        uint64   `json:"rss_bytes"`
	CPUPerHour float64  `json:"cpu_seconds_per_hour"`
	WakeUps    float64  `json:"wake_ups_per_second"`
	WatchedFor float64  `json:"watched_seconds"`
}

func idleness(before, after service.Usage, d time.Duration) *Idle {
	return &Idle{
		Processes:  after.Processes,
		PSS:        after.PSS,
		RSS:        after.RSS,
		CPUPerHour: (after.CPU - before.CPU).Seconds() / d.Hours(),
		WakeUps:    float64(after.Switches-before.Switches) / d.Seconds(),
		WatchedFor: d.Seconds(),
	}
}

// WriteMarkdown writes the table of the three, side by side, with the ratios to
// the plain service, and beneath it what else belongs to it.
func (r Result) WriteMarkdown(w io.Writer) error {
	var table []Figures
	for _, key := range []string{keyBare, keyPodman, keyGatewayd} {
		table = append(table, r.column(key))
	}
	var b strings.Builder
	b.WriteString("| ")
	row := func(title string, cell func(Figures) string) {
		b.WriteString("| " + title + " |")
		for _, f := range table {
			text := "–"
			if f.Skipped == "" {
				text = cell(f)
			}
			b.WriteString(" " + text + " |")
		}
		b.WriteString("\n")
	}
	for _, f := range table {
		b.WriteString("| " + f.Name + " ")
	}
	b.WriteString("|\n|---|---|---|---|\n")
	bare := r.column(keyBare)
	row("`start` → first HTTP answer", func(f Figures) string { return times(f.Start, bare.Start) })
	row("SIGKILL → next HTTP answer", func(f Figures) string { return times(f.Restart, bare.Restart) })
	row("supervisor memory (PSS, RSS)", memory)
	row("CPU of an idle hour; wake-ups per second when idle", idle)
	r.notes(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Result) notes(b *strings.Builder) {
	fmt.Fprintf(b, "\nMedians of %d (lowest–highest), × the plain service.", r.Samples)
	podman, ours := r.column(keyPodman), r.column(keyGatewayd)
	if len(podman.Restart) > 0 && len(ours.Restart) > 0 {
		fmt.Fprintf(b, " podman takes %.1f × as long as gatewayd to start and %.1f × to restart.",
			figures.Median(podman.Start)/figures.Median(ours.Start), figures.Median(podman.Restart)/figures.Median(ours.Restart))
	}
	if ours.Idle != nil {
		fmt.Fprintf(b, "\nIdle: watched for %.0f s, gatewayd with an HTTP probe each second", ours.Idle.WatchedFor)
		if quiet := r.column(keyNoProbe); quiet.Idle != nil {
			fmt.Fprintf(b, "; without a probe %s", idle(quiet))
		}
		b.WriteString(".")
	}
	if podman.Skipped != "" {
		fmt.Fprintf(b, "\nLeft out: %s.", strings.Join(strings.Fields(podman.Skipped), " "))
	}
	if r.Guarded != nil {
		b.WriteString("\n" + r.Guarded.words())
	}
	if len(r.Redaction) > 0 {
		fmt.Fprintf(b, "\nRedaction of a megabyte of output: %s.", redaction.Words(r.Redaction))
	}
	fmt.Fprintf(b, "\n\n%s\n", r.Machine)
}

func (r Result) column(key string) Figures {
	for _, f := range r.Columns {
		if f.Key == key {
			return f
		}
	}
	return Figures{Key: key, Name: key, Skipped: key + " was not measured"}
}

func spread(samples []float64) string {
	return fmt.Sprintf("%.1f ms (%.1f–%.1f)", figures.Median(samples), slices.Min(samples), slices.Max(samples))
}

func times(samples, bare []float64) string {
	if len(samples) == 0 {
		return "–"
	}
	text := fmt.Sprintf("%.0f ms (%.0f–%.0f)", figures.Median(samples), slices.Min(samples), slices.Max(samples))
	if len(bare) > 0 && &samples[0] != &bare[0] {
		text += fmt.Sprintf(", %.1f ×", figures.Median(samples)/figures.Median(bare))
	}
	return text
}

func memory(f Figures) string {
	if f.Idle == nil || len(f.Idle.Processes) == 0 {
		return "–"
	}
	text := fmt.Sprintf("%.1f MB, %.1f MB", float64(f.Idle.PSS)/1e6, float64(f.Idle.RSS)/1e6)
	if len(f.Idle.Processes) > 1 {
		text += " (" + strings.Join(f.Idle.Processes, " + ") + ")"
	}
	return text
}

func idle(f Figures) string {
	if f.Idle == nil || len(f.Idle.Processes) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f s; %.1f", f.Idle.CPUPerHour, f.Idle.WakeUps)
}
