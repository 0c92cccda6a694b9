package redact

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// pieces feeds text in pieces of the sizes that next tells, and returns what is shown.
func pieces(s *Set, text []byte, next func() int) string {
	var out strings.Builder
	stream := s.Stream(func(piece []byte) { out.Write(piece) })
	for len(text) > 0 {
		n := min(len(text), max(1, next()))
		piece := bytes.Clone(text[:n])
		stream.Write(piece)
		clear(piece) // it was the caller's
		text = text[n:]
	}
	stream.Flush()
	return out.String()
}

// whole is what a stream shows of a text that comes at once: what String returns, but
// for the beginning of a value at its end.
func whole(s *Set, text []byte) string {
	return pieces(s, text, every(max(1, len(text))))
}

func every(n int) func() int { return func() int { return n } }

// However a text is cut, the same is shown.
func TestCutAnywhere(t *testing.T) {
	for name, value := range hard {
		s := setOf(hard)
		for _, e := range encodings(strings.Trim(value, blanks)) {
			text := []byte("one " + e.text + " two\n" + e.text)
			want := whole(s, text)
			for _, n := range []int{1, 2, 3, 7, 64} {
				if got := pieces(s, text, every(n)); got != want {
					t.Fatalf("%s as %s in pieces of %d:\n%q\nas a whole:\n%q", name, e.how, n, got, want)
				}
			}
			if len(text) > 200 {
				continue
			}
			for at := range text {
				first := true
				if got := pieces(s, text, func() int {
					defer func() { first = false }()
					if first {
						return at
					}
					return len(text)
				}); got != want {
					t.Fatalf("%s as %s cut at %d:\n%q\nas a whole:\n%q", name, e.how, at, got, want)
				}
			}
		}
	}
}

// A line that is finished is shown, but where a value may go on.
func TestLinesAreNotHeld(t *testing.T) {
	s := setOf(hard)
	for _, line := range []string{"listening on :8080", "ends in ghp_", "deadbeef", "c2VjcmV0", "cc", "+", "100%", `\`, "%2", `\u00`, "", "MIIE", "ends with a q"} {
		var out strings.Builder
		stream := s.Stream(func(piece []byte) { out.Write(piece) })
		stream.Write([]byte("before\n" + line + "\n"))
		if out.String() != "before\n"+line+"\n" {
			t.Errorf("%q: %q is shown, %q held", line, out.String(), stream.Held())
		}
	}
	stream := s.Stream(func(piece []byte) { t.Errorf("%q is shown", piece) })
	stream.Write([]byte("first\n")) // "first\nsecond" is a value
	if string(stream.Held()) != "first\n" {
		t.Errorf("held: %q", stream.Held())
	}
}

// A value that comes while text is held is found in it.
func TestValueComesLate(t *testing.T) {
	s := setOf(map[string]string{"a": "aaaaaabbbbbb"})
	var out strings.Builder
	stream := s.Stream(func(piece []byte) { out.Write(piece) })
	stream.Write([]byte("0 aaaaaab"))
	s.Add("b", []byte("aaaaaabc"))
	stream.Write([]byte("c 1\n"))
	if got := out.String(); got != "0 [redacted b] 1\n" {
		t.Errorf("%q", got)
	}
}

func large(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(33 + random.IntN(94))
	}
	return string(b)
}

// A value of 64 KiB is found in each form, and what is held is bounded also when
// it never comes to its end.
func TestLargeValue(t *testing.T) {
	value := large(64 << 10)
	s := setOf(map[string]string{"large": value})
	for _, e := range encodings(value) {
		if got := pieces(s, []byte("<"+e.text+">"), every(4096)); len(got) > 60 || !strings.Contains(got, "[redacted large]") {
			t.Errorf("%s: %d bytes are left", e.how, len(got))
		}
	}
	shown := 0
	stream := s.Stream(func(piece []byte) { shown += len(piece) })
	gap := []byte(strings.Repeat(" ", maxGap-1) + "\n")
	written := 0
	for _, digit := range []byte(spread(fmt.Sprintf("%x", value[:60<<10]), "")) {
		stream.Write([]byte{digit})
		stream.Write(gap)
		written += 1 + len(gap)
		if held := len(stream.Held()); held > maxHeld || held+shown != written {
			t.Fatalf("%d are held, %d shown of %d", held, shown, written)
		}
	}
}

// Who is killed in the middle of writing a value has shown nothing of it but its
// first bytes, which are in any text; nor has the end of a text been taken for one.
func TestBeginningAtTheEnd(t *testing.T) {
	value := `f1le+"<c4n&ry>\` + "\u00e9"
	s := setOf(map[string]string{"a": value})
	for _, e := range encodings(value) {
		for n := range len(e.text) {
			text := "before " + e.text[:n]
			for _, step := range []int{1, len(text)} {
				got := pieces(s, []byte(text), every(step))
				if !strings.HasPrefix(got, "before ") || got != text && !strings.HasSuffix(got, "***") && !strings.Contains(got, "[redacted a]") {
					t.Fatalf("%s: %q is shown as %q", e.how, text, got)
				}
				if shown := strings.NewReplacer("***", "", "[redacted a]", "", "before ", "").Replace(got); len(shown) > len(e.text)*Min/len(value)+8 {
					t.Errorf("%s: %q shows %q", e.how, text, shown)
				}
			}
		}
	}
	for _, text := range []string{"f1le+", "f1le.", "whatever", `f1le+"<c4n&r` + "\n"} {
		if got := whole(s, []byte(text)); got != text {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	// Interrupted for long, it goes on.
	var out strings.Builder
	stream := s.Stream(func(piece []byte) { out.Write(piece) })
	stream.Write([]byte("one " + value[:9]))
	stream.Flush()
	stream.Write([]byte(" two " + value + "."))
	stream.Flush()
	if got := out.String(); got != "one *** two [redacted a]." {
		t.Errorf("%q is shown", got)
	}
}
