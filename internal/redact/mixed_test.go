package redact

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestMixed has what fuzzing seldom comes upon: few different bytes, so that values
// overlap, begin and end with each other and with what escapes, and texts of
// values, and of the beginnings of values, in all forms one after the other.
func TestMixed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letter := rapid.SampledFrom([]byte("aab \\%\n+u0-\xff\x00"))
		values := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []byte {
			return rapid.SliceOfN(letter, Min, 12).Draw(t, "value")
		}), 1, 4).Draw(t, "values")
		s := &Set{}
		var known [][]byte
		for i, value := range values {
			if s.Add(string(rune('A'+i)), value) {
				known = append(known, bytes.Trim(value, blanks))
			}
		}
		if len(known) == 0 {
			return
		}
		var text []byte
		for range rapid.IntRange(1, 5).Draw(t, "pieces") {
			forms := encodings(string(rapid.SampledFrom(known).Draw(t, "of")))
			form := forms[rapid.IntRange(0, len(forms)-1).Draw(t, "form")].text
			text = append(text, form[:rapid.IntRange(0, len(form)).Draw(t, "length")]...)
			text = append(text, rapid.SliceOfN(letter, 0, 4).Draw(t, "between")...)
			if bytes.ContainsAny(text[max(0, len(text)-12):], `\%`) {
				text = append(text, '.') // else an escape would begin before the value
			}
			text = append(text, form...)
		}
		shown := s.String(string(text))
		for _, value := range known {
			if occurs([]byte(shown), value, false) {
				t.Errorf("%q is left of\n%q:\n%q", value, text, shown)
			}
		}
		shown = whole(s, text)
		step := rapid.IntRange(1, 9).Draw(t, "step")
		if got := pieces(s, text, every(step)); got != shown {
			t.Errorf("in pieces of %d:\n%q\nas a whole:\n%q", step, got, shown)
		}
	})
}
