package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/internal/journal"
)

// Each line of a gateway is a record with the fields that one filters by.
func TestJournalOfOutput(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "output")
	long := strings.Repeat("0123456789", 30000)
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "out=plain", "err=to stderr", "out=<3>an error", "err=<7>a detail", "out=bin\\x00\\xff\\x1bary", "out=last", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
`)
	i.mustStart()
	s := i.awaitReady("web")
	for text, want := range map[string]map[string]string{
		"plain":              {"STREAM": "stdout", "PRIORITY": "6"},
		"to stderr":          {"STREAM": "stderr"},
		"an error":           {"STREAM": "stdout", "PRIORITY": "3"},
		"a detail":           {"STREAM": "stderr", "PRIORITY": "7"},
		"bin\x00\xff\x1bary": {"STREAM": "stdout"},
	} {
		r := i.awaitRecord(strconv.Quote(text), func(r record) bool { return r.message() == text }, "GATEWAY=web")
		wantFields(t, r, want)
		wantFields(t, r, map[string]string{"GATEWAY": "web", "LAUNCH": "1", "CONTAINER_ID": s.ID})
	}
	i.tell("PORT", "out="+long)
	eventually(t, "the long line", func() error {
		var whole strings.Builder
		for _, r := range i.records("GATEWAY=web", "STREAM=stdout") {
			if text := r.message(); strings.Trim(text, "0123456789") == "" {
				whole.WriteString(text)
			}
		}
		if whole.String() != long {
			return fmt.Errorf("%d bytes of %d", whole.Len(), len(long))
		}
		return nil
	})
}

// gatewayd's own records have a stable name and id.
func TestJournalOfEvents(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "events")
	i.configure("log_level = \"debug\"\n" + serving)
	i.mustStart()
	s := i.awaitReady("web")
	i.tell("PORT", "exit=3")
	i.awaitLaunch("web", 1)
	i.mustStop()
	for _, event := range []string{"launch-started", "posture", "launch-ready", "launch-ended", "launch-cleaned"} {
		r := i.awaitRecord(event, func(r record) bool { return r.field("LAUNCH") == "1" }, "EVENT="+event)
		wantFields(t, r, map[string]string{"GATEWAY": "web", "CONTAINER_ID": s.ID, "MESSAGE_ID": journal.MessageID(event)})
	}
	for _, event := range []string{"daemon-started", "runtime-chosen", "daemon-ready", "daemon-stopping", "daemon-stopped"} {
		r := i.awaitRecord(event, func(record) bool { return true }, "EVENT="+event)
		wantFields(t, r, map[string]string{"MESSAGE_ID": journal.MessageID(event)})
	}
	ended := i.awaitRecord("the crash", func(r record) bool { return r.field("LAUNCH") == "1" }, "EVENT=launch-ended")
	if err := contains(ended.message(), "exited with code 3"); err != nil || ended.field("PRIORITY") != "3" {
		t.Errorf("the crash has priority %s: %v", ended.field("PRIORITY"), err)
	}
}

// A flood arrives complete and in order, and the last words before a crash come
// before the record of the crash.
func TestJournalOfAFlood(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "flood")
	i.configure(serving)
	i.mustStart()
	const lines = 20000
	i.tell("PORT", fmt.Sprint("flood=", lines))
	eventually(t, "the last line", func() error {
		if len(i.records("GATEWAY=web", fmt.Sprint("MESSAGE=", lines))) == 0 {
			return fmt.Errorf("not there")
		}
		return nil
	})
	next := 1
	for _, r := range i.records("GATEWAY=web", "STREAM=stdout") {
		if r.message() != strconv.Itoa(next) {
			t.Fatalf("line %d is %q", next, r.message())
		}
		next++
	}
	if next != lines+1 {
		t.Errorf("%d lines arrived of %d", next-1, lines)
	}
}

// Order holds within a stream, and both are in front of the end.
func TestJournalOfLastWords(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "last-words")
	// Just what fits into a pipe, so that most of it is there when the program
	// is not any more.
	i.configure(serving + `
[gateway.crashes]
rootfs = "$ROOTFS"
command = ["/gateway", "flood=10000", "err=goodbye", "die=SEGV"]
restart.max_failures = 1
`)
	i.mustStart()
	words := i.lastWords(1)
	for launch, lost := 2, 0; launch <= 5; launch++ { // a journald that is blocked for a second loses lines, and it is said
		known := lost
		if lost = len(i.records("GATEWAY=crashes", "EVENT=output-dropped")); lost == known {
			break
		}
		_, _, _ = i.gatewayd("start", "crashes") // it fails
		words = i.lastWords(launch)
	}
	if len(words) != 3 || words[2] != "ended" {
		t.Error(words)
	}
}

// lastWords are those of a launch that floods and fails.
func (i *instance) lastWords(launch int) (words []string) {
	i.t.Helper()
	of := []string{"GATEWAY=crashes", fmt.Sprintf("LAUNCH=%d", launch)}
	i.await("crashes", "failed", func(s state) bool { return s.Phase == "failed" && s.Launch == launch })
	i.awaitRecord("the failure", func(record) bool { return true }, append(of, "EVENT=gateway-failed")...)
	for _, r := range i.records(of...) {
		switch {
		case r.message() == "10000", r.message() == "goodbye":
			words = append(words, r.message())
		case r.field("EVENT") == "launch-ended":
			words = append(words, "ended")
		}
	}
	return words
}

// gatewayd logs is journalctl with the right filter.
func TestLogs(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "logs")
	i.configure(`
[gateway.log-` + strconv.Itoa(os.Getpid()) + `]
rootfs = "$ROOTFS"
command = ["/gateway", "out=first", "out=second", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
`)
	i.mustStart()
	name := "log-" + strconv.Itoa(os.Getpid())
	eventually(t, "the lines", func() error {
		out := i.must("logs", name)
		for _, want := range []string{"first", "second", name + " launch 1 is ready"} {
			if err := contains(out, want); err != nil {
				return err
			}
		}
		return nil
	})
	if out := i.must("logs", name, "-n", "1"); strings.Count(strings.TrimSpace(out), "\n") != 0 {
		t.Errorf("-n 1 shows %q", out)
	}
}
