package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// The answer stays what it is, but for the values: also one that looks like a
// part of it.
func TestJSON(t *testing.T) {
	s := setOf(hard)
	s.Add("field", []byte("gateways"))
	s.Add("syntax", []byte(`","phase":"`))
	s.Add("digits", []byte("12345678"))
	answer := map[string]any{"gateways": []any{map[string]any{"name": "web", "phase": "ready", "pid": 12345678.0}}}
	for name, value := range hard {
		answer[name] = []any{"<" + strings.Trim(value, blanks) + ">", "a\\"}
	}
	text, _ := json.Marshal(answer)
	var got map[string]any
	if err := json.Unmarshal(s.JSON(text), &got); err != nil {
		t.Fatalf("%v: %s", err, s.JSON(text))
	}
	for name := range hard {
		if value := got[name].([]any); name != "bytes" && (value[0] != "<[redacted "+name+"]>" || value[1] != "a\\") {
			t.Errorf("%s: %q", name, value)
		}
	}
	if !reflect.DeepEqual(got["gateways"], answer["gateways"]) {
		t.Errorf("%v", got["gateways"])
	}
	if got := string(s.JSON([]byte(`{"broken": gateways`))); got != `{"broken": [redacted field]` {
		t.Error(got)
	}
	if got := string(s.JSON([]byte(` "gateways" `))); got != ` "[redacted field]" ` {
		t.Error(got)
	}
}

// fields is the shape of a JSON text: all but its strings that are no names.
func fields(text []byte) (string, bool) {
	if !json.Valid(text) {
		return "", false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	var shape strings.Builder
	for {
		token, err := decoder.Token()
		if err != nil {
			return shape.String(), true
		}
		if _, isText := token.(string); isText && !named(decoder, text) {
			token = "…"
		}
		fmt.Fprintf(&shape, "%v ", token)
	}
}

// named tells whether what was read last is the name of a field.
func named(decoder *json.Decoder, text []byte) bool {
	rest := bytes.TrimLeft(text[decoder.InputOffset():], " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}
