package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSinkKeepsOrderAndFields(t *testing.T) {
	j := &journald{}
	s := sinkTo(t, j)
	var want []string
	for i := range 5000 {
		want = append(want, strconv.Itoa(i))
		s.WriteLine(t.Context(), line("web", "stdout", want[i]))
	}
	l := line("web", "stderr", "more")
	l.Partial, l.Priority = true, 3
	s.WriteLine(t.Context(), l)
	flush(t, s)
	if got := j.messages("STREAM", "stdout"); !slices.Equal(got, want) {
		t.Errorf("%d lines of 5000, or not in order", len(got))
	}
	records := j.all()
	last := records[len(records)-1]
	for name, want := range map[string]string{"GATEWAY": "web", "LAUNCH": "1", "CONTAINER_ID": "web-1-x", "STREAM": "stderr", "SYSLOG_IDENTIFIER": "web", "CONTAINER_PARTIAL_MESSAGE": "true"} {
		if last.Get(name) != want {
			t.Errorf("%s=%s, want %s", name, last.Get(name), want)
		}
	}
	if last.Priority != 3 || records[0].Get("CONTAINER_PARTIAL_MESSAGE") != "" {
		t.Errorf("%+v", last)
	}
}

// The text belongs to the caller again after the call.
func TestSinkCopiesTheText(t *testing.T) {
	j := &journald{}
	flow := j.block()
	s := sinkTo(t, j)
	l := line("web", "stdout", "before")
	s.WriteLine(t.Context(), l)
	copy(l.Text, "AFTER!")
	flow()
	flush(t, s)
	if got := j.messages("GATEWAY", "web"); !slices.Equal(got, []string{"before"}) {
		t.Error(got)
	}
}

// A flood is held back at journald's pace, not dropped.
func TestSinkFloodWaitsForASlowJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journald{fail: func(Record) error { time.Sleep(10 * time.Millisecond); return nil }}
		s := sinkTo(t, j)
		text := strings.Repeat("x", 10_000)
		for range 1000 { // ten times what the queue holds
			s.WriteLine(t.Context(), line("web", "stdout", text))
		}
		flush(t, s)
		if got := len(j.messages("GATEWAY", "web")); got != 1000 || s.Dropped("web") != 0 {
			t.Errorf("%d of 1000 lines arrived, %d dropped", got, s.Dropped("web"))
		}
	})
}

// A journal that is blocked holds a gateway up for a moment once, never longer;
// what is dropped is counted and told of in its place.
func TestSinkBlockedJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journald{}
		flow := j.block()
		s := sinkTo(t, j)
		began := time.Now()
		text := strings.Repeat("x", 10_000)
		for i := range 1000 {
			s.WriteLine(t.Context(), line("web", "stdout", fmt.Sprint(i, " ", text)))
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the gateway was held up for %s", took)
		}
		dropped := s.Dropped("web")
		if dropped < 890 || dropped > 900 {
			t.Errorf("%d of 1000 lines dropped; 1 MiB holds about 104", dropped)
		}
		flow()
		flush(t, s)
		s.WriteLine(t.Context(), line("web", "stdout", "flows again"))
		flush(t, s)
		checkGap(t, j, int(dropped))
	})
}

// checkGap: the first lines, then the note, then what came later.
func checkGap(t *testing.T, j *journald, dropped int) {
	t.Helper()
	records := j.all()
	if len(records) != 1000-dropped+2 {
		t.Fatalf("%d records for %d dropped of 1000", len(records), dropped)
	}
	for i, r := range records[:1000-dropped] {
		if n, _, _ := strings.Cut(string(r.Message), " "); n != strconv.Itoa(i) {
			t.Fatalf("record %d is line %s", i, n)
		}
	}
	note := records[1000-dropped]
	if note.Get("EVENT") != "output-dropped" || note.Get("MESSAGE_ID") != MessageID("output-dropped") || note.Get("GATEWAY") != "web" ||
		note.Get("DROPPED_RECORDS") != strconv.Itoa(dropped) || note.Priority != 4 {
		t.Errorf("%+v", note)
	}
	if last := records[len(records)-1]; string(last.Message) != "flows again" {
		t.Errorf("%s", last.Message)
	}
}

// One gateway's flood delays nobody: others come in turn, not behind it.
func TestSinkTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journald{}
		flow := j.block()
		s := sinkTo(t, j)
		for i := range 500 {
			s.WriteLine(t.Context(), line("flood", "stdout", strconv.Itoa(i)))
		}
		synctest.Wait()
		s.WriteLine(t.Context(), line("web", "stdout", "hello"))
		s.put("", Record{Message: []byte("mine")})
		flow()
		flush(t, s)
		for _, text := range []string{"hello", "mine"} {
			at := slices.IndexFunc(j.all(), func(r Record) bool { return string(r.Message) == text })
			if at < 0 || at > 4 {
				t.Errorf("%q is record %d", text, at)
			}
		}
	})
}

// The record that tells of a gateway's end comes after its last words, and
// finds room however full the queue is.
func TestSinkOwnRecordsFollowTheLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journald{}
		flow := j.block()
		s := sinkTo(t, j)
		for s.Dropped("web") == 0 {
			s.WriteLine(t.Context(), line("web", "stdout", strings.Repeat("x", 1000)))
		}
		s.put("web", Record{Message: []byte("ended"), Fields: []Field{{"GATEWAY", "web"}}})
		flow()
		flush(t, s)
		m := j.messages("GATEWAY", "web")
		if len(m) < 3 || m[len(m)-1] != "ended" || !strings.HasPrefix(m[len(m)-2], "dropped 1 of web's records") {
			t.Errorf("the last of %d: %.100q", len(m), m[max(0, len(m)-3):])
		}
	})
}

func TestSinkOwnRecordsAreBounded(t *testing.T) {
	j := &journald{}
	flow := j.block()
	s := sinkTo(t, j)
	for range 100_000 {
		s.put("", Record{Message: []byte("again and again")})
	}
	if s.Dropped("") < 80_000 {
		t.Errorf("%d of 100000 dropped", s.Dropped(""))
	}
	flow()
}

// A journald that is not there yet, or restarts, gets each record once.
func TestSinkTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		j := &journald{fail: func(Record) error {
			if tries++; tries%5 != 0 {
				return fmt.Errorf("%w: connection refused", ErrUnavailable)
			}
			return nil
		}}
		s := sinkTo(t, j)
		for i := range 3 {
			s.WriteLine(t.Context(), line("web", "stdout", strconv.Itoa(i)))
		}
		flush(t, s)
		if got := j.messages("GATEWAY", "web"); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Error(got)
		}
	})
}

func TestSinkCountsWhatIsRefused(t *testing.T) {
	j := &journald{fail: func(r Record) error {
		if string(r.Message) == "bad" {
			return errors.New("no")
		}
		return nil
	}}
	s := sinkTo(t, j)
	for _, text := range []string{"a", "bad", "bad", "b"} {
		s.WriteLine(t.Context(), line("web", "stdout", text))
		flush(t, s)
	}
	if got := j.messages("STREAM", "stdout"); !slices.Equal(got, []string{"a", "b"}) || s.Dropped("web") != 2 {
		t.Errorf("%q, %d dropped", got, s.Dropped("web"))
	}
	if notes := j.messages("EVENT", "output-dropped"); len(notes) == 0 {
		t.Error("nobody was told")
	}
}

func TestSinkCloseOfABlockedJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journald{}
		j.block()
		s := NewSink(j.send)
		for range 3 {
			s.WriteLine(t.Context(), line("web", "stdout", "text"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush: %v", err)
		}
		if err := s.Close(ctx); err == nil || !strings.Contains(err.Error(), "3 records") {
			t.Errorf("close: %v", err)
		}
		s.WriteLine(t.Context(), line("web", "stdout", "too late"))
		if err := s.Close(ctx); err != nil {
			t.Errorf("second close: %v", err)
		}
	})
}

func TestSinkWriteEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journald{}
		j.block()
		s := NewSink(j.send)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		for range 2000 {
			s.WriteLine(ctx, line("web", "stdout", strings.Repeat("x", 1000)))
		}
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("took %s", took)
		}
		cancel()
		s.Close(ctx)
	})
}

// What a blocked journal may cost is bounded in bytes, for empty lines too.
func TestSinkMemory(t *testing.T) {
	j := &journald{}
	flow := j.block()
	s := sinkTo(t, j)
	s.WriteLine(t.Context(), line("web", "stdout", "")) // the queue exists
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := heap()
	for range 200_000 {
		s.WriteLine(ctx, line("web", "stdout", ""))
	}
	if grown := heap() - before; grown > 3*queueLimit/2 {
		t.Errorf("200000 empty lines in the queue cost %d KiB", grown>>10)
	}
	flow()
	flush(t, s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queue("web"); q.size != 0 || q.records != nil {
		t.Errorf("an empty queue counts %d bytes, holds %d", q.size, cap(q.records))
	}
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
