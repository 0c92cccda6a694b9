package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"
)

// An error can name a file in somebody's tree: it does not drive the terminal of
// whoever asked, and its lines stay.
func FuzzReport(f *testing.F) {
	f.Add("stage a\x1b]0;x\x07b: refused\nthe second")
	f.Add("\u202e\xff\x9b2J")
	f.Fuzz(func(t *testing.T, text string) {
		var b bytes.Buffer
		report(&b, errors.New(text))
		strange := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }
		if strings.ContainsFunc(b.String(), strange) {
			t.Errorf("%q", b.String())
		}
		if lines := strings.Count(b.String(), "\n"); text != "" && lines != strings.Count(text, "\n")+1 {
			t.Errorf("%d lines of %q", lines, text)
		}
	})
}
