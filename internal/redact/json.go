package redact

import (
	"bytes"
	"encoding/json"
)

// JSON returns a JSON text without the values, which is JSON again: its strings
// are redacted each by itself, but for the names of fields, which are part of a
// protocol. What is no JSON is redacted as text.
func (s *Set) JSON(text []byte) []byte {
	if s.automaton() == nil {
		return text
	}
	if !json.Valid(text) {
		return s.Bytes(text)
	}
	shown := make([]byte, 0, len(text))
	for {
		begin := bytes.IndexByte(text, '"')
		if begin < 0 {
			return append(shown, text...)
		}
		end := begin + literalLength(text[begin:])
		shown = append(shown, text[:begin]...)
		shown = append(shown, s.literal(text[begin:end], text[end:])...)
		text = text[end:]
	}
}

// literal returns a string literal as it may be shown.
func (s *Set) literal(quoted, rest []byte) []byte {
	if rest = bytes.TrimLeft(rest, " \t\r\n"); len(rest) > 0 && rest[0] == ':' {
		return quoted
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return []byte(`""`) // cannot be: the text is valid
	}
	shown := s.String(text)
	if shown == text {
		return quoted
	}
	again, _ := json.Marshal(shown) // a string is always JSON
	return again
}

// literalLength is the length of the string literal that text begins with.
func literalLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
