package redact

import (
	"bytes"
	"testing"
)

// marks is what may stand in the place of a value, and may hold one.
var marks = []byte("[redacted abcdefgh] ***")

// valuesOf makes a Set of what stands between two NULs.
func valuesOf(data []byte) (*Set, [][]byte) {
	s := &Set{}
	var known [][]byte
	for i, value := range bytes.SplitN(data, []byte("\x00"), 8) {
		if s.Add(string(rune('a'+i)), value) {
			known = append(known, value)
		}
	}
	return s, known
}

// Wherever a text is cut, and whatever the values are, the same is shown as of
// the whole.
func FuzzCut(f *testing.F) {
	f.Add([]byte("secret-1\x00cret-12345\x00first\nsecond"), []byte(`{"a":"c2VjcmV0LTE=\nsec%72et-1","b":"\u0073ecret-1"}`), []byte{3, 1, 200})
	f.Add([]byte("aaaaaaab"), []byte("aaaaaaaaaaaaaaaab"), []byte{0})
	f.Fuzz(func(t *testing.T, values, text, sizes []byte) {
		s, _ := valuesOf(values)
		want := whole(s, text)
		i := 0
		got := pieces(s, text, func() int {
			if i++; len(sizes) == 0 {
				return 1
			}
			return int(sizes[i%len(sizes)]) + 1
		})
		if got != want {
			t.Errorf("in pieces:\n%q\nas a whole:\n%q", got, want)
		}
	})
}

// No value is left in what is shown, in any form that a plain search finds; and a
// text in which a generous one finds none is as it was.
func FuzzHidden(f *testing.F) {
	for i, value := range []string{"ghp_9fQ2xLw7", "q+/83Lw+9T//xw==", "first\nsecond\r\nthird", "\"a\\\\<&>\x00abcdefgh\x00cdefgh12"} {
		f.Add([]byte(value), []byte("key="), []byte(" end"), uint16(17*i))
	}
	f.Fuzz(func(t *testing.T, values, before, after []byte, which uint16) {
		s, known := valuesOf(values)
		if len(known) == 0 {
			return
		}
		value := bytes.Trim(known[int(which)%len(known)], blanks)
		forms := encodings(string(value))
		text := append(append(bytes.Clone(before), forms[int(which)%len(forms)].text...), after...)
		shown := s.Bytes(text)
		none := true
		for _, value := range known {
			value = bytes.Trim(value, blanks)
			if occurs(shown, value, false) && !bytes.Contains(marks, value) {
				t.Errorf("%q is left of\n%q:\n%q", value, text, shown)
			}
			none = none && !occurs(before, value, true) && len(lines(value)) == 0
		}
		if rest := s.Bytes(before); none && !bytes.Equal(rest, before) {
			t.Errorf("%q becomes %q", before, rest)
		}
	})
}

// Whatever is in a JSON text, what is shown of it is JSON, with the same fields.
func FuzzJSON(f *testing.F) {
	f.Add([]byte("secret-1\x00\",\"b\":\""), []byte(`{"a":"secret-1","b":"\u0073ecret-1","secret-1":["x",1]}`))
	f.Fuzz(func(t *testing.T, values, text []byte) {
		s, _ := valuesOf(values)
		was, ok := fields(text)
		if !ok {
			return
		}
		if is, ok := fields(s.JSON(text)); !ok || is != was {
			t.Errorf("%s becomes %s", text, s.JSON(text))
		}
	})
}
