package redact

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// pem looks like a key, and is none.
var pem = "-----BEGIN PRIVATE KEY-----\n" + wrap(strings.Repeat("MIIEvQIBADANBg+qhkiG9w0BAQ/EFAASCBKcwggSjAgEAAoIBAQ", 8), 64, "\n") + "\n-----END PRIVATE KEY-----\n"

var hard = map[string]string{
	"token": "ghp_9fQ2xLw7", "six": "\"a\\<&>", "number": "31415926", "blanks": "correct horse  battery\tstaple", "url": "postgres://u:p%40ss+w/rd@h/d?x=y&z",
	"json": `{"key":"a\nb\u00e4"}`, "bytes": "\x00\x01\xff\xfe\x80\x7f\x00", "umlauts": "Größenwahn😀漢字", "pem": pem, "base64": "q+/83Lw+9T//xw==",
	"percent": "100%25%2f%", "backslash": `\\server\new\table`, "quotes": `'"'"'"`, "newline": "first\nsecond\r\nthird", "plus": "49+30 1234++5",
}

func setOf(values map[string]string) *Set {
	s := &Set{}
	for name, value := range values {
		if !s.Add(name, []byte(value)) {
			panic(name)
		}
	}
	return s
}

// Every value in every form, with whatever around it, is gone; what is around it
// is not.
func TestEveryEncoding(t *testing.T) {
	for name, value := range hard {
		s := setOf(map[string]string{name: value})
		for _, e := range encodings(strings.Trim(value, blanks)) {
			for _, around := range [][2]string{{"", ""}, {"key=", "."}, {`\\`, `\\`}, {"%25", "%4"}, {`{"a":"`, `"}`}, {"\n", "\n"}, {`\u12`, `\u`}, {"Basic ", " HTTP/1.1\r\n"}} {
				got := s.String(around[0] + e.text + around[1])
				mark := "[redacted " + name + "]"
				if !strings.HasPrefix(got, around[0]) || !strings.HasSuffix(got, around[1]) || !strings.Contains(got, mark) {
					t.Errorf("%s as %s in %q:\n%q\nbecomes\n%q", name, e.how, around, e.text, got)
				}
				left := strings.NewReplacer(around[0], "", around[1], "", mark, "").Replace(got)
				if around[0] == "" && len(strings.Trim(left, "=")) > 8 && !strings.Contains(e.how, "wrapped") { // digits beside it, and padding
					t.Errorf("%s as %s: %q is left", name, e.how, left)
				}
			}
		}
	}
}

func TestString(t *testing.T) {
	s := setOf(map[string]string{"a": "abcdefgh", "b": "cdefgh12", "c": "abcdefgh-long", "phone": "+49 30 1234", "lines": "shared-first-line-0\nshort\nshared-third-line-2\n"})
	for text, want := range map[string]string{
		"":                        "",
		"nothing":                 "nothing",
		"abcdefg":                 "abcdefg",
		"abcdefgh":                "[redacted a]",
		"xabcdefghx":              "x[redacted a]x",
		"abcdefgh12":              "[redacted a]", // both, as one
		"abcdefgabcdefgh":         "abcdefg[redacted a]",
		"abcdefgh-long":           "[redacted c]",
		"abcdefgh-lon":            "[redacted a]-lon",
		"abcdefghabcdefgh":        "[redacted a][redacted a]",
		"0 shared-third-line-2 1": "0 [redacted lines] 1",
		"short":                   "short",
		"+49 30 1234":             "+[redacted phone]",
		"shared-first-line-0\tshort  shared-third-line-2": "[redacted lines]",
	} {
		if got := s.String(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if got := string(s.Bytes([]byte(text))); got != want {
			t.Errorf("as bytes: %q becomes %q, want %q", text, got, want)
		}
	}
}

// What is shown in the place of a value holds none.
func TestValueLikeItsMark(t *testing.T) {
	for value, want := range map[string]string{"secret": "[redacted]", "[redacted secret]": "[redacted]", "redacted": "***"} {
		s := setOf(map[string]string{"secret": value})
		if got := s.String(value); got != want {
			t.Errorf("%q becomes %q, want %q", value, got, want)
		}
	}
}

// What could not be told from other text is refused.
func TestAddRefuses(t *testing.T) {
	s := &Set{}
	for _, short := range []string{"", "12345", " 12345\n", "1     2", "++++++++"} {
		if s.Add("x", []byte(short)) {
			t.Errorf("%q is taken", short)
		}
	}
	if !s.Add("x", []byte("123456\n")) || s.String("[123456]") != "[[redacted x]]" {
		t.Errorf("six bytes are not: %s", s.String("[123456]"))
	}
	var none *Set
	if none.Add("x", []byte("123456")) || none.String("123456") != "123456" || string(none.Bytes([]byte("123456"))) != "123456" || none.Values() != nil {
		t.Error("a nil Set is not empty")
	}
}

// Sixteen values of each name are known, those that were added last: one that is
// added again counts as new.
func TestEarlierValues(t *testing.T) {
	s := &Set{}
	value := func(i int) []byte { return fmt.Appendf(nil, "value-%03d", i) }
	s.Add("other", []byte("other-value"))
	for i := range 40 {
		s.Add("x", value(i))
		s.Add("x", value(0))
	}
	for i := range 40 {
		known := s.String(string(value(i))) == "[redacted x]"
		if want := i == 0 || i > 40-keep; known != want {
			t.Errorf("value %d: %v", i, known)
		}
	}
	if s.String("other-value") != "[redacted other]" || len(s.Values()) != keep+1 {
		t.Errorf("%d values", len(s.Values()))
	}
}

func TestError(t *testing.T) {
	s := setOf(map[string]string{"x": "secret-1"})
	err := fmt.Errorf("open secret-1: %w", fs.ErrNotExist)
	if got := s.Error(err); got.Error() != "open [redacted x]: file does not exist" || !errors.Is(got, fs.ErrNotExist) {
		t.Error(got)
	}
	other := errors.New("other")
	if s.Error(other) != other || s.Error(nil) != nil { //nolint:errorlint // the very same one
		t.Error("an error without a value is another one")
	}
}
