package journal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestCore(t *testing.T) {
	j := &journald{}
	s := sinkTo(t, j)
	log := zap.New(NewCore(zapcore.InfoLevel, s, nil), zap.AddCaller()).Named("launch").With(zap.String("gateway", "web"), zap.Int("launch", 3))
	log.Debug("not this")
	log.Warn("launch 3 of web ended", zap.String("event", "launch-ended"), zap.String("container_id", "web-3-x"), zap.NamedError("cause", errors.New("exit code 1")),
		zap.Duration("after", 1500*time.Millisecond), zap.Bool("oom", false), zap.Strings("left", []string{"/a", "/b"}), zap.String("blank", ""), zap.Any("message", "mine"))
	if err := log.Sync(); err != nil {
		t.Fatal(err)
	}
	records := j.all()
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	r := records[0]
	if string(r.Message) != "launch 3 of web ended: exit code 1" || r.Priority != journal.PriWarning {
		t.Errorf("%d %s", r.Priority, r.Message)
	}
	for name, want := range map[string]string{
		"GATEWAY": "web", "LAUNCH": "3", "CONTAINER_ID": "web-3-x", "STREAM": "gatewayd", "SYSLOG_IDENTIFIER": "gatewayd", "EVENT": "launch-ended",
		"MESSAGE_ID": MessageID("launch-ended"), "CAUSE": "exit code 1", "AFTER": "1.5s", "OOM": "false", "LEFT": `["/a","/b"]`, "BLANK": "", "FIELD_MESSAGE": "mine",
		"LOGGER": "launch",
	} {
		if got := r.Get(name); got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
	if !strings.HasSuffix(r.Get("CODE_FILE"), "core_test.go") || r.Get("CODE_LINE") == "" {
		t.Errorf("%s:%s", r.Get("CODE_FILE"), r.Get("CODE_LINE"))
	}
}

// A field given again replaces the one before: journald would keep both.
func TestCoreFieldOnce(t *testing.T) {
	j := &journald{}
	s := sinkTo(t, j)
	log := zap.New(NewCore(zapcore.InfoLevel, s, nil)).With(zap.Int("launch", 1), zap.String("stream", "x"), zap.String("Syslog-Identifier", "x"), zap.String("LAUNCH", "x"))
	log.Info("text", zap.Int("launch", 2), zap.String("message_id", "x"), zap.String("event", "posture"))
	flush(t, s)
	seen := map[string]int{}
	for _, f := range j.all()[0].Fields {
		seen[f.Name]++
	}
	for name, n := range seen {
		if n > 1 {
			t.Errorf("%s %d times", name, n)
		}
	}
}

func TestCorePriorities(t *testing.T) {
	for level, want := range map[zapcore.Level]journal.Priority{
		zapcore.DebugLevel: 7, zapcore.InfoLevel: 6, zapcore.WarnLevel: 4, zapcore.ErrorLevel: 3, zapcore.DPanicLevel: 2, zapcore.FatalLevel: 2,
	} {
		if got := priority(level); got != want {
			t.Errorf("%s: %d, want %d", level, got, want)
		}
	}
}

func TestConsole(t *testing.T) {
	var out bytes.Buffer
	w := zapcore.Lock(zapcore.AddSync(&out))
	log := zap.New(NewConsole(zapcore.InfoLevel, w, nil))
	log.Debug("not this")
	log.With(zap.Int("launch", 1)).Info("launch 1 of web ended", zap.String("gateway", "web"), zap.Duration("after", time.Second), zap.String("cause", "unhealthy"))
	if got := out.String(); !strings.HasSuffix(got, ` INFO launch 1 of web ended {"cause": "unhealthy"}`+"\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}

func TestConsoleLines(t *testing.T) {
	for text, want := range map[string]string{
		"plain \\ \"text\"\tü 漢":     "plain \\ \"text\"\tü 漢",
		"\x1b[2J\x07\r\x00":          `\x1b[2J\a\r\x00`,
		"\xff\xc3\u202e\u0085\ufffd": `\xff\xc3\u202e\u0085` + "\ufffd",
	} {
		var out bytes.Buffer
		l := line("web", "stdout", text)
		ConsoleLines(&out)(t.Context(), l)
		if got := out.String(); got != "web stdout | "+want+"\n" {
			t.Errorf("%q: got %q", text, got)
		}
	}
	var out bytes.Buffer
	ConsoleLines(&out)(t.Context(), Line{Launch: Launch{Gateway: "web"}, Stream: "stderr", Text: []byte("long"), Partial: true})
	if got := out.String(); got != "web stderr | long…\n" {
		t.Errorf("%q", got)
	}
}

// Writing must not wait, whatever becomes of the journal.
func TestCoreNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journald{}
		flow := j.block()
		s := sinkTo(t, j)
		log := zap.New(NewCore(zapcore.InfoLevel, s, nil))
		began := time.Now()
		for i := range 20_000 {
			log.Info(fmt.Sprint("record ", i), zap.String("gateway", "web"))
		}
		if took := time.Since(began); took > 0 || s.Dropped("web") == 0 {
			t.Errorf("waited %s, %d dropped", took, s.Dropped("web"))
		}
		flow()
	})
}
