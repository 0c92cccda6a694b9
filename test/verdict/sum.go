package main

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
)

// sum is what several runs of the same tests come to.
type sum struct {
	passed, failed map[test]bool
	skipped        map[test]string // with the last words: why
	said           map[test]string
	packages       []string // go test's own lines, below the name of each run
	broken         bool     // a package failed
}

func newSum() *sum {
	return &sum{passed: map[test]bool{}, failed: map[test]bool{}, skipped: map[test]string{}, said: map[test]string{}}
}

func (s *sum) take(e event) {
	switch {
	case e.Action == "output" && e.Test == "" && isPackageLine(e.Output):
		s.packages = append(s.packages, e.Output)
	case e.Action == "fail" && e.Test == "":
		s.broken = true
	case e.Test == "":
	case e.Action == "output" && !isMarker(e.Output):
		s.said[e.test()] = strings.TrimSpace(e.Output)
	case e.Action == "pass":
		s.passed[e.test()] = true
	case e.Action == "fail":
		s.failed[e.test()] = true
	case e.Action == "skip":
		s.skipped[e.test()] = s.said[e.test()]
	}
}

func isPackageLine(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t")
}

// isMarker tells go test's own lines from the words of a test.
func isMarker(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "=== ")
}

var (
	errFailed  = errors.New("tests failed")
	errSkipped = errors.New("GATEWAYD_TEST_ALL=1, and tests ran nowhere")
)

func (s *sum) report(all bool, out io.Writer) error {
	nowhere := s.nowhere()
	fmt.Fprintf(out, "%d tests passed, %d failed, %d ran nowhere\n", s.good(), len(s.failed), len(nowhere))
	for _, t := range nowhere {
		fmt.Fprintf(out, "ran nowhere: %s %s: %s\n", t.Package, t.Name, s.skipped[t])
	}
	for _, line := range s.packages {
		fmt.Fprint(out, line)
	}
	switch {
	case s.broken || len(s.failed) > 0:
		return errFailed
	case all && len(nowhere) > 0:
		return errSkipped
	}
	return nil
}

// good counts the tests that passed and failed in no other run.
func (s *sum) good() int {
	n := 0
	for t := range s.passed {
		if !s.failed[t] {
			n++
		}
	}
	return n
}

// nowhere lists the tests that every run skipped, sorted.
func (s *sum) nowhere() []test {
	var tests []test
	for t := range s.skipped {
		if !s.passed[t] && !s.failed[t] {
			tests = append(tests, t)
		}
	}
	sort.Slice(tests, func(i, j int) bool {
		return tests[i].Package+" "+tests[i].Name < tests[j].Package+" "+tests[j].Name
	})
	return tests
}
