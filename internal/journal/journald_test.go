package journal

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// entry is a record as journalctl gives it back.
type entry map[string]any

// get is a field as text; journalctl writes what is not UTF-8 as numbers.
func (e entry) get(name string) string {
	switch v := e[name].(type) {
	case string:
		return v
	case []any:
		var b []byte
		for _, n := range v {
			b = append(b, byte(n.(float64)))
		}
		return string(b)
	}
	return ""
}

// readBack follows the journal until the record with EVENT=last comes.
func readBack(t *testing.T, gateway, last string) (entries []entry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"--all", "--output=json", "--lines=all", "--follow", "GATEWAY=" + gateway}
	if os.Getuid() != 0 {
		args = append(args, "--user")
	}
	cmd := exec.CommandContext(ctx, "journalctl", args...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cancel()
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %.200s", err, lines.Bytes())
		}
		entries = append(entries, e)
		if e.get("EVENT") == last {
			return entries
		}
	}
	t.Fatalf("%s did not come: %d records: %v", last, len(entries), lines.Err())
	return nil
}

// The whole way: a program writes, the real journald gives back.
func TestRealJournald(t *testing.T) {
	testenv.NeedUserManager(t)
	gateway := "test-" + strings.ToLower(rand.Text()[:12])
	sink := NewSink(Journald())
	defer sink.Close(t.Context())
	o, err := OpenOutput(Launch{gateway, 7, gateway + "-7-x"}, sink.WriteLine, nil)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	binary := "\x00\x01\xff\xfe\x1b[31m\x80 MESSAGE=forged"
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `i=0; while [ $i -lt 5000 ]; do echo flood $i; i=$((i+1)); done
		cat >&2; printf '<3>last words'; kill -KILL $$`)
	cmd.Stdin = strings.NewReader(binary + "\n" + long + "\n")
	cmd.Stdout, cmd.Stderr = o.Stdout(), o.Stderr()
	cmd.Run()
	if err := o.Close(t.Context()); err != nil {
		t.Error(err)
	}
	log := zap.New(NewCore(zapcore.InfoLevel, sink, nil))
	log.Warn("launch 7 ended", zap.String("event", "launch-ended"), zap.String("gateway", gateway), zap.Int("launch", 7), zap.Error(fmt.Errorf("killed\nby SIGKILL")))
	if err := log.Sync(); err != nil {
		t.Fatal(err)
	}
	entries := readBack(t, gateway, "launch-ended")
	checkOwn(t, entries[len(entries)-1])
	checkStdout(t, stream(entries, "stdout"))
	checkStderr(t, stream(entries, "stderr"), binary, long)
}

func stream(entries []entry, name string) (of []entry) {
	for _, e := range entries {
		if e.get("STREAM") == name {
			of = append(of, e)
		}
	}
	return of
}

func checkOwn(t *testing.T, e entry) {
	t.Helper()
	for name, want := range map[string]string{
		"MESSAGE": "launch 7 ended: killed\nby SIGKILL", "MESSAGE_ID": MessageID("launch-ended"), "PRIORITY": "4", "LAUNCH": "7", "ERROR": "killed\nby SIGKILL",
		"SYSLOG_IDENTIFIER": "gatewayd", "_PID": fmt.Sprint(os.Getpid()),
	} {
		if got := e.get(name); got != want {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
}

func checkStdout(t *testing.T, entries []entry) {
	t.Helper()
	if len(entries) != 5001 {
		t.Fatalf("%d lines of 5001 on stdout", len(entries))
	}
	for i, e := range entries[:5000] {
		if got, want := e.get("MESSAGE"), fmt.Sprint("flood ", i); got != want || e.get("PRIORITY") != "6" {
			t.Fatalf("line %d is %q", i, got)
		}
	}
	if last := entries[5000]; last.get("MESSAGE") != "last words" || last.get("PRIORITY") != "3" || last.get("LAUNCH") != "7" || last.get("CONTAINER_ID") == "" {
		t.Errorf("%v", last)
	}
}

func checkStderr(t *testing.T, entries []entry, binary, long string) {
	t.Helper()
	if len(entries) != 17 {
		t.Fatalf("%d records on stderr, want one binary and 16 chunks", len(entries))
	}
	if got := entries[0].get("MESSAGE"); got != binary {
		t.Errorf("%q", got)
	}
	var text strings.Builder
	for i, e := range entries[1:] {
		text.WriteString(e.get("MESSAGE"))
		if partial := e.get("CONTAINER_PARTIAL_MESSAGE") == "true"; partial != (i < 15) {
			t.Errorf("chunk %d: partial %v", i, partial)
		}
	}
	if text.String() != long {
		t.Errorf("%d bytes of %d, or others", text.Len(), len(long))
	}
}
