package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	File       string
	Line       int    // from 1
	Column     int    // from 1, in bytes, as compilers count
	Key        string // dotted, as in gateway.web.ready.interval; empty for a fault of syntax
	Problem    string
	Suggestion string // what was probably meant; empty: nothing is near
}

// Error returns the fault in one line without control characters:
// file:line:column: key: problem (did you mean suggestion?).
func (f Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", printable(f.File), f.Line, f.Column)
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Problem)
	if f.Suggestion != "" {
		b.WriteString(" (did you mean " + f.Suggestion + "?)")
	}
	return b.String()
}

// Faults is all that is wrong with a configuration, in the order of the file.
// It is the error of [Load] and [Parse], found by errors.As.
type Faults []Fault

// Error returns one line for each fault.
func (f Faults) Error() string { return errors.Join(f.Unwrap()...).Error() }

// Unwrap returns the faults as errors.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, fault := range f {
		errs[i] = fault
	}
	return errs
}

// quoteLimit bounds what a fault repeats of the file, in runes.
const quoteLimit = 60

// quote returns s for a fault: cut short, in quotes, and with everything
// escaped that could move a cursor, forge a line or turn the text around.
func quote(s string) string { return strconv.Quote(clip(s)) }

func clip(s string) string {
	runes := 0
	for i := range s {
		if runes == quoteLimit {
			return s[:i] + "…"
		}
		runes++
	}
	return s
}

// printable returns s as it is where every terminal shows it as it is.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
