package handover

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The words of a binary that is asked to take over go to the journal and to the
// terminal of whoever asked for it: one line, bounded, nothing that drives a terminal.
func FuzzVerdict(f *testing.F) {
	f.Add([]byte(`{"takes":1,"program":"v1.2.3"}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		program, err := parseVerdict("/bin/gatewayd", out)
		said := program
		if err != nil {
			said += err.Error()
		}
		strange := func(r rune) bool { return !unicode.IsPrint(r) }
		if !utf8.ValidString(said) || len(said) > 4*maxWords+100 || strings.ContainsFunc(said, strange) {
			t.Errorf("%q", said)
		}
		if err != nil && program != "" {
			t.Errorf("half a result: %q, %v", program, err)
		}
	})
}
