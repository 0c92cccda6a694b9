package control

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
)

// fill sets every text in v, one element in every slice, and the numbers and switches.
func fill(v reflect.Value, text string, on bool) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(on)
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text, on)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, on)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), text, on)
		}
	}
}

// Whatever any text in a report, a history or a verification is, no table drives a terminal, and a
// text makes no line more.
func FuzzShown(f *testing.F) {
	f.Add("a\x1b[2J\u202e\n\tb\xff", true)
	f.Fuzz(func(t *testing.T, text string, on bool) {
		show := func(text string) string {
			var b bytes.Buffer
			var r Report
			var h History
			var v Verification
			fill(reflect.ValueOf(&r).Elem(), text, on)
			fill(reflect.ValueOf(&h).Elem(), text, on)
			fill(reflect.ValueOf(&v).Elem(), text, on)
			if err := WriteTable(&b, r, time.Time{}); err != nil {
				t.Fatal(err)
			}
			if err := WriteHistory(&b, h, time.Time{}); err != nil {
				t.Fatal(err)
			}
			if err := WriteVerification(&b, v); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
		shown := show(text)
		strange := func(r rune) bool { return !unicode.IsGraphic(r) && r != '\n' }
		if at := strings.IndexFunc(shown, strange); at >= 0 {
			t.Errorf("%q", shown[max(0, at-20):min(len(shown), at+20)])
		}
		if lines := strings.Count(show("a"), "\n"); text != "" && strings.Count(shown, "\n") != lines {
			t.Errorf("%q makes %d lines, not %d", text, strings.Count(shown, "\n"), lines)
		}
	})
}
