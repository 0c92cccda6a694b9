package journal

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/journal"
	"pgregory.net/rapid"
)

type chunk struct {
	text     string
	priority journal.Priority
	partial  bool
}

// split feeds input in reads of at most step bytes.
func split(input []byte, step int) (chunks []chunk) {
	s := splitter{fallback: journal.PriInfo}
	s.emit = func(text []byte, p journal.Priority, partial bool) {
		chunks = append(chunks, chunk{string(text), p, partial})
	}
	for len(input) > 0 {
		space := s.space()
		n := copy(space[:min(step, len(space))], input)
		s.add(n)
		input = input[n:]
	}
	s.finish()
	return chunks
}

func TestSplit(t *testing.T) {
	long := strings.Repeat("x", maxText)
	for input, want := range map[string][]chunk{
		"":                         nil,
		"a\nb\n":                   {{"a", 6, false}, {"b", 6, false}},
		"a\n\nlast words":          {{"a", 6, false}, {"", 6, false}, {"last words", 6, false}},
		"\x00\xff\r\n":             {{"\x00\xff\r", 6, false}},
		"<3>bad\nworse\n":          {{"bad", 3, false}, {"worse", 6, false}},
		"<0>\n<7>d\n":              {{"", 0, false}, {"d", 7, false}},
		"<8>a\n<x>b\n<33>c\n<3\n<": {{"<8>a", 6, false}, {"<x>b", 6, false}, {"<33>c", 6, false}, {"<3", 6, false}, {"<", 6, false}},
		" <3>a\n<3><4>b\n":         {{" <3>a", 6, false}, {"<4>b", 3, false}},
		long + "\n":                {{long, 6, false}},
		long:                       {{long, 6, false}},
		long + "y\nz\n":            {{long, 6, true}, {"y", 6, false}, {"z", 6, false}},
		long + long + "\n":         {{long, 6, true}, {long, 6, false}},
		"<4>" + long + "<2>\n":     {{long[3:], 4, true}, {"xxx<2>", 4, false}},
		long + "<2>y\n<2>z":        {{long, 6, true}, {"<2>y", 6, false}, {"z", 2, false}},
	} {
		for _, step := range []int{1, 2, 3, 4096, 1 << 20} {
			if got := split([]byte(input), step); !reflect.DeepEqual(got, want) {
				t.Errorf("%.40q… in steps of %d: %d chunks, want %d", input, step, len(got), len(want))
			}
		}
	}
}

// join is what split must have cut: prefixes are put back by the lines of input.
func join(chunks []chunk, input []byte) []byte {
	var out []byte
	begins := true
	for _, c := range chunks {
		at := len(out)
		if begins && at+3 <= len(input) && !bytes.HasPrefix(input[at:], []byte(c.text)) || begins && prefixed(input, at) {
			out = append(out, fmt.Sprintf("<%d>", c.priority)...)
		}
		out = append(out, c.text...)
		if begins = !c.partial; begins {
			out = append(out, '\n')
		}
	}
	return out
}

func prefixed(input []byte, at int) bool {
	if at > len(input) {
		return false
	}
	_, ok := prefix(input[at:])
	return ok
}

// checkSplit: what goes in comes out, complete and in order, however it is read.
func checkSplit(t interface{ Fatalf(string, ...any) }, input []byte, step int) {
	chunks := split(input, step)
	want := input
	if len(input) > 0 && input[len(input)-1] != '\n' {
		want = append(bytes.Clone(input), '\n')
	}
	if got := join(chunks, input); !bytes.Equal(got, want) {
		t.Fatalf("in steps of %d: %d bytes came out of %d", step, len(got), len(want))
	}
	for i, c := range chunks {
		if len(c.text) > maxText || strings.Contains(c.text, "\n") {
			t.Fatalf("chunk %d is %d bytes: %.60q", i, len(c.text), c.text)
		}
		if c.partial && i == len(chunks)-1 {
			t.Fatalf("the last chunk promises another")
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("<3>a\nb\n\n<7>"), uint16(2), uint16(0))
	f.Add([]byte("x\n<1>"), uint16(4096), uint16(maxText-2))
	f.Fuzz(func(t *testing.T, input []byte, step, fill uint16) {
		input = append(bytes.Repeat([]byte{'.'}, int(fill)), input...)
		checkSplit(t, input, int(step)+1)
	})
}

func TestSplitAnyLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var input []byte
		for _, n := range rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 2, 3, 4095, maxText - 3, maxText - 1, maxText, maxText + 1, 3 * maxText}), 0, 8).Draw(t, "lines") {
			input = append(input, rapid.SampledFrom([]string{"", "<3>", "<9>", "<"}).Draw(t, "prefix")...)
			input = append(input, bytes.Repeat([]byte{byte(n)%9 + 'a'}, n)...)
			input = append(input, rapid.SampledFrom([]string{"\n", "", "\n\n"}).Draw(t, "end")...)
		}
		checkSplit(t, input, rapid.SampledFrom([]int{1, 7, 4096, 1 << 20}).Draw(t, "step"))
	})
}
