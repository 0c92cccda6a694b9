package redact

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// decode reads the escape that token begins with. more: it is not complete. Else
// used bytes of token stand for what is returned; nothing: the first byte is no
// escape and stands for itself.
type decode func(token []byte) (bytes []byte, used int, more bool)

// percent is the escape of URLs (RFC 3986). That "+" is a blank is seen to by fold.
func percent(token []byte) ([]byte, int, bool) {
	value, ok := hexNumber(token[1:])
	switch {
	case !ok:
		return nil, 1, false
	case len(token) < 3:
		return nil, 0, true
	}
	return []byte{byte(value)}, 3, false
}

// simple are the escapes of one letter, and meaning what each is for.
var simple, meaning = []byte("\"'\\/`0abfnrtve"), []byte("\"'\\/`\x00\a\b\f\n\r\t\v\x1b")

// backslash is the escape of strings in JSON (RFC 8259), and of the others that
// languages have besides. \xHH is a byte, as in Go and C.
func backslash(token []byte) ([]byte, int, bool) {
	if len(token) < 2 {
		return nil, 0, true
	}
	var length int
	switch token[1] {
	case 'x':
		length = 4
	case 'u':
		length = 6
	case 'U':
		length = 10
	default:
		if i := bytes.IndexByte(simple, token[1]); i >= 0 {
			return meaning[i : i+1], 2, false
		}
		return nil, 1, false
	}
	value, ok := hexNumber(token[2:min(len(token), length)])
	switch {
	case !ok:
		return nil, 1, false
	case len(token) < length:
		return nil, 0, true
	case token[1] == 'x':
		return []byte{byte(value)}, length, false
	case utf16.IsSurrogate(rune(value)):
		return surrogate(rune(value), token)
	}
	return utf8.AppendRune(nil, rune(value)), length, false
}

// surrogate is the first half of a character, which the next escape completes.
func surrogate(first rune, token []byte) ([]byte, int, bool) {
	alone := utf8.AppendRune(nil, utf8.RuneError)
	for i, want := range []byte(`\u`) {
		if len(token) == 6+i {
			return nil, 0, true
		}
		if token[6+i] != want {
			return alone, 6, false
		}
	}
	second, ok := hexNumber(token[8:min(len(token), 12)])
	switch {
	case !ok:
		return alone, 6, false
	case len(token) < 12:
		return nil, 0, true
	}
	if r := utf16.DecodeRune(first, rune(second)); r != utf8.RuneError {
		return utf8.AppendRune(nil, r), 12, false
	}
	return alone, 6, false
}

// hexNumber returns false where something else than digits stands.
func hexNumber(digits []byte) (value uint32, ok bool) {
	for _, b := range digits {
		digit := hexDigits[b]
		if digit > 15 {
			return 0, false
		}
		value = value<<4 | uint32(digit)
	}
	return value, true
}
