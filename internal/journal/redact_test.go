package journal

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatewayd/gatewayd/internal/redact"
)

const canary = "canary-\"q/8+\nsecond line"

func secrets() *redact.Set {
	s := &redact.Set{}
	s.Add("token", []byte(canary))
	return s
}

// A secret is taken out of a gateway's output before the lines: in pieces, over
// lines, and where a long line is cut.
func TestOutputIsRedacted(t *testing.T) {
	var lines []string
	write := func(_ context.Context, l Line) {
		if l.Stream == "stdout" {
			lines = append(lines, string(l.Text))
		}
	}
	o, err := OpenOutput(Launch{Gateway: "web"}, write, secrets())
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", maxText-10)
	text := "<3>a " + canary + " b\n" + long + base64.StdEncoding.EncodeToString([]byte("user:"+canary)) + "\nlast canary-\"q"
	for _, b := range []byte(text) {
		if _, err := o.Stdout().Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"a [redacted token] b", long + "dXNlcj[red", "acted token]=", "last ***"}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d lines: %.200q", len(lines), lines)
	}
}

// A secret that is cut by a change of images is none in either.
func TestSecretOverImages(t *testing.T) {
	got := make(chan string, 10)
	write := func(_ context.Context, l Line) { got <- string(l.Text) }
	o, err := OpenOutput(Launch{}, write, secrets())
	if err != nil {
		t.Fatal(err)
	}
	out := o.Stdout()
	out.WriteString("first\na " + canary[:9])
	if line := <-got; line != "first" {
		t.Error(line)
	}
	s, stdout, stderr, err := o.Suspend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o2 := ResumeOutput(Launch{}, write, secrets(), s, stdout, stderr)
	out.WriteString(canary[9:] + " b\n")
	if line := <-got; line != "a [redacted token] b" {
		t.Errorf("%q", line)
	}
	o.Release()
	if err := o2.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// No field of gatewayd's own records says it, nor the console.
func TestRecordsAreRedacted(t *testing.T) {
	j := &journald{}
	sink := sinkTo(t, j)
	var console bytes.Buffer
	for _, log := range []*zap.Logger{zap.New(NewCore(zapcore.InfoLevel, sink, secrets())), zap.New(NewConsole(zapcore.InfoLevel, &console, secrets()))} {
		log.With(zap.String("path", "/tmp/"+canary)).Warn("read "+canary, zap.Error(errors.New("bad "+canary)), zap.Strings("left", []string{canary}),
			zap.Any("map", map[string]any{"key": canary}), zap.ByteString("bytes", []byte(canary)), zap.Binary("binary", []byte("x"+canary)))
	}
	flush(t, sink)
	r := j.all()[0]
	if want := "read [redacted token]: bad [redacted token]"; string(r.Message) != want || r.Get("PATH") != "/tmp/[redacted token]" || r.Get("LEFT") != `["[redacted token]"]` {
		t.Errorf("%q %+v", r.Message, r.Fields)
	}
	all := string(appendRecord(nil, r)) + console.String()
	for _, part := range []string{"canary", "second line", base64.StdEncoding.EncodeToString([]byte(canary[2:]))[:12]} {
		if strings.Contains(all, part) {
			t.Errorf("%q is in %q", part, all)
		}
	}
	if n := strings.Count(console.String(), "[redacted token]"); n != 7 {
		t.Errorf("%d times: %s", n, console.String())
	}
}
