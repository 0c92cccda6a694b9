package main

import (
	"slices"

	"github.com/gatewayd/gatewayd/test/bench/figures"
	"github.com/gatewayd/gatewayd/test/bench/machine"
)

// Result is all that a run measured. With -json it is printed as it is.
type Result struct {
	Machine    machine.Machine `json:"machine"`
	FileSystem string          `json:"file_system"`
	Reflink    string          `json:"reflink_file_system,omitempty"`
	On         string          `json:"on,omitempty"`        // what they lie on
	Floor      int64           `json:"rss_floor_bytes"`     // no process is seen to have less memory than this program
	WarmOnly   string          `json:"warm_only,omitempty"` // why nothing cold was measured
	Samples    int             `json:"samples"`
	Measures   []Measure       `json:"measures"`
}

// Measure is one thing that was done with one tree.
type Measure struct {
	Key     string         `json:"key"`
	Tree    string         `json:"tree"`
	Entries int64          `json:"entries"`
	What    string         `json:"what"`
	Cache   string         `json:"cache"`
	Inside  bool           `json:"inside,omitempty"` // what counts is the call, not the process
	Series  []Series       `json:"series"`           // the first is ours
	Goals   []figures.Goal `json:"goals,omitempty"`
	goals   []goal
}

// Series are the samples of one contender.
type Series struct {
	Name    string    `json:"name"`
	Skipped string    `json:"skipped,omitempty"` // why there are none
	Process []float64 `json:"process_ms,omitempty"`
	Call    []float64 `json:"call_ms,omitempty"` // what of it was the call of pkg/bundle
	CPU     []float64 `json:"cpu_ms,omitempty"`
	RSS     int64     `json:"rss_bytes,omitempty"`     // the largest of all samples
	OwnRSS  int64     `json:"own_rss_bytes,omitempty"` // the same, without what a process inherits; of ours alone
}

func (s *Series) add(one sample) {
	s.Process, s.CPU = append(s.Process, one.took), append(s.CPU, one.cpu)
	s.RSS, s.OwnRSS = max(s.RSS, one.rss), max(s.OwnRSS, one.answer.RSS)
	if one.answer.Call > 0 {
		s.Call = append(s.Call, one.answer.Call)
	}
}

// memory is the most that a process had, in bytes; 0: less than can be seen.
func (s *Series) memory(floor int64) int64 {
	if s.RSS > floor {
		return s.RSS
	}
	return s.OwnRSS
}

// times are the samples that count.
func (m *Measure) times(s Series) []float64 {
	if m.Inside {
		return s.Call
	}
	return s.Process
}

// ours is our median.
func (m *Measure) ours() (ms float64, ok bool) {
	samples := m.times(m.Series[0])
	if len(samples) == 0 {
		return 0, false
	}
	return figures.Median(samples), true
}

// ratio is how many times as long as ours a peer takes.
func (m *Measure) ratio(peer int) (float64, bool) {
	ours, ok := m.ours()
	if !ok || len(m.Series) < peer+2 || len(m.Series[peer+1].Process) == 0 {
		return 0, false
	}
	return figures.Median(m.Series[peer+1].Process) / ours, true
}

func (r *Result) find(key, cache string) (*Measure, bool) {
	i := slices.IndexFunc(r.Measures, func(m Measure) bool { return m.Key == key && m.Cache == cache })
	if i < 0 {
		return nil, false
	}
	return &r.Measures[i], true
}
