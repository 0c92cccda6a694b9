package journal

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// NewConsole returns the zap core for a terminal: one readable line each, without
// the values of secrets. w is shared with ConsoleLines only as a writer that locks (zapcore.Lock).
func NewConsole(level zapcore.LevelEnabler, w io.Writer, secrets *redact.Set) zapcore.Core {
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "level", NameKey: "logger", MessageKey: "message", StacktraceKey: "stack",
		EncodeTime:       zapcore.TimeEncoderOfLayout("15:04:05.000"),
		EncodeLevel:      zapcore.CapitalLevelEncoder,
		EncodeDuration:   zapcore.StringDurationEncoder,
		ConsoleSeparator: " ",
	})
	return terse{zapcore.NewCore(encoder, zapcore.AddSync(printing{w, secrets}), level)}
}

// printing is for records, whose words can be those of a runtime or the name of a
// file in somebody's tree.
type printing struct {
	to      io.Writer
	secrets *redact.Set
}

func (p printing) Write(b []byte) (int, error) {
	_, err := io.WriteString(p.to, Printable(string(p.secrets.Bytes(b))))
	return len(b), err
}

// Printable escapes in text what could drive a terminal, and keeps its lines.
func Printable(text string) string {
	var b []byte
	for line := range strings.Lines(text) {
		words, ended := strings.CutSuffix(line, "\n")
		if b = appendPrintable(b, []byte(words)); ended {
			b = append(b, '\n')
		}
	}
	return string(b)
}

// terse leaves away the fields by which a journal is searched: on a terminal
// they would bury the words, which say the same.
type terse struct{ zapcore.Core }

func (c terse) With(fields []zapcore.Field) zapcore.Core { return terse{c.Core.With(shown(fields))} }

func (c terse) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

func (c terse) Write(e zapcore.Entry, fields []zapcore.Field) error {
	return c.Core.Write(e, shown(fields))
}

func shown(fields []zapcore.Field) []zapcore.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f zapcore.Field) bool {
		switch f.Key {
		case "event", "gateway", "launch", "container_id", "after", "next":
			return true
		}
		return false
	})
}

// ConsoleLines returns the Writer that shows lines on a terminal, as
// "web stdout | text". Control characters are escaped: what a gateway prints
// must not drive the terminal of the person who looks. A line that goes on
// ends with "…".
func ConsoleLines(w io.Writer) Writer {
	return func(_ context.Context, l Line) {
		b := make([]byte, 0, len(l.Text)+len(l.Gateway)+16)
		b = append(b, l.Gateway+" "+l.Stream+" | "...)
		b = appendPrintable(b, l.Text)
		if l.Partial {
			b = append(b, "…"...)
		}
		// One call a line, so that lines stay whole. A terminal that is gone has
		// nobody to tell.
		_, _ = w.Write(append(b, '\n'))
	}
}

// appendPrintable appends text as a Go string literal would hold it, but for
// tabs, quotes and backslashes, which harm no terminal.
func appendPrintable(b, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\t', r != utf8.RuneError && strconv.IsPrint(r):
			b = append(b, text[:n]...)
		case r == utf8.RuneError && n == 1:
			b = append(b, `\x`...)
			b = append(b, "0123456789abcdef"[text[0]>>4], "0123456789abcdef"[text[0]&15])
		default:
			quoted := strconv.QuoteRune(r)
			b = append(b, quoted[1:len(quoted)-1]...)
		}
		text = text[n:]
	}
	return b
}
