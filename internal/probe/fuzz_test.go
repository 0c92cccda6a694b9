package probe

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// What a gateway answers to a probe and what a probing command writes, in pieces of
// any size, is told in one line of bounded length that drives no terminal; of a
// command it is the end.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("no such table\n"), uint16(3), 503)
	f.Fuzz(func(t *testing.T, output []byte, step uint16, code int) {
		end := newTail(nil)
		for piece := range slices.Chunk(output, int(step)+1) {
			if n, err := end.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		if want := output[max(0, len(output)-maxExcerpt):]; string(end.bytes) != string(want) {
			t.Errorf("%q is not the end of %q", end.bytes, output)
		}
		for _, err := range []error{withOutput(errors.New("exit code 1"), end), answered(code, output), &quotedError{err: errors.New(string(output))}} {
			says := err.Error()
			strange := func(r rune) bool { return !unicode.IsPrint(r) }
			if !utf8.ValidString(says) || len(says) > 100+10*maxExcerpt || strings.ContainsFunc(says, strange) {
				t.Errorf("%q", says)
			}
		}
	})
}
