package journal

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Whatever a gateway says and a log field is called, journald reads what was meant
// and no field more, and does not drop the record for a name.
func FuzzRecord(f *testing.F) {
	f.Add("plain", "gateway", "web")
	f.Add("x\nPRIORITY=0\nGATEWAY=forged", "_PID", "\n")
	form := regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	f.Fuzz(func(t *testing.T, message, key, value string) {
		name := fieldName(key)
		if !form.MatchString(name) || fieldName(name) != name || name == "MESSAGE" || name == "PRIORITY" {
			t.Fatalf("%q is called %q", key, name)
		}
		got := decode(t, appendRecord(nil, Record{Message: []byte(message), Fields: []Field{{name, value}}}))
		if len(got) != 3 || got["MESSAGE"] != message || got[name] != value || got["PRIORITY"] != "0" {
			t.Errorf("%q", got)
		}
	})
}

// Whatever is logged or written by a gateway, what a terminal gets does not drive
// it; what could not is as it was.
func FuzzConsole(f *testing.F) {
	f.Add("remove a\x1b[2J: not permitted", "x\ny")
	f.Fuzz(func(t *testing.T, words, cause string) {
		var b bytes.Buffer
		zap.New(NewConsole(zapcore.InfoLevel, &b, nil)).Warn(words, zap.String("gateway", cause), zap.Error(errors.New(cause)), zap.String("path", cause))
		ConsoleLines(&b)(t.Context(), Line{Launch: Launch{Gateway: "web"}, Stream: "stdout", Text: []byte(words)})
		plain := func(text string) bool {
			return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' })
		}
		if !plain(b.String()) {
			t.Errorf("%q", b.String())
		}
		if again := Printable(words); plain(words) && again != words || Printable(again) != again {
			t.Errorf("%q becomes %q", words, again)
		}
	})
}
