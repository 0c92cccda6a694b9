// Package figures is what the benches do with their samples.
package figures

import (
	"slices"
	"time"
)

// Median of at least one sample.
func Median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Quantile of at least one sample: the smallest that q of them do not exceed.
func Quantile(samples []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[max(0, min(len(sorted)-1, int(q*float64(len(sorted))+0.999999)-1))]
}

// Milliseconds are exact to a thousandth.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

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
