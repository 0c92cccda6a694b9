package posture

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Finding is one thing that was promised, beside what the kernel shows.
type Finding struct {
	What     string `json:"what"`
	Promised string `json:"promised"`
	Found    string `json:"found"`
	Differs  bool   `json:"differs,omitempty"`
}

// Report is what a verification has found.
type Report struct {
	Findings []Finding `json:"findings"`
	Unseen   []string  `json:"unseen,omitempty"` // what could not be looked at in this process, and why
}

// Differences are the findings that differ.
func (r Report) Differences() []Finding {
	var list []Finding
	for _, f := range r.Findings {
		if f.Differs {
			list = append(list, f)
		}
	}
	return list
}

// Err is a *DifferenceError where something differs.
func (r Report) Err() error {
	if list := r.Differences(); len(list) > 0 {
		return &DifferenceError{list}
	}
	return nil
}

// DifferenceError says that a process is not isolated as it was promised.
type DifferenceError struct{ Differences []Finding }

func (e *DifferenceError) Error() string {
	texts := make([]string, len(e.Differences))
	for i, d := range e.Differences {
		texts[i] = fmt.Sprintf("%s: promised %s, found %s", d.What, d.Promised, d.Found)
	}
	return "the program is not isolated as promised: " + strings.Join(texts, "; ")
}

// check compares.
type check struct {
	Promise
	process process
	exe     *unix.Statx_t
	facts   facts
	ours    facts
	root    int           // the container's "/", by O_PATH
	moved   bool          // root is a directory that the program has chosen
	placed  map[int]Mount // by the id of what is mounted for them
	report  Report
}

func (c *check) want(what string, holds bool, promised, found any) {
	c.report.Findings = append(c.report.Findings, Finding{what, words(promised), words(found), !holds})
}

func (c *check) unseen(what string, err error) {
	c.report.Unseen = append(c.report.Unseen, fmt.Sprintf("%s: %v", what, err))
}

// words never leaves a side empty.
func words(value any) string {
	text := strings.Trim(fmt.Sprint(value), "[]")
	if text == "" {
		return "none"
	}
	return text
}
