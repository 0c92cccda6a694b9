package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keep is a Writer that keeps the text of all lines, as they were written.
type keep struct {
	mu   sync.Mutex
	text map[string]*bytes.Buffer // by stream
}

func (k *keep) write(_ context.Context, l Line) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.text == nil {
		k.text = map[string]*bytes.Buffer{"stdout": {}, "stderr": {}}
	}
	k.text[l.Stream].Write(l.Text)
	if !l.Partial {
		k.text[l.Stream].WriteByte('\n')
	}
}

func (k *keep) get(stream string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.text == nil {
		return ""
	}
	return k.text[stream].String()
}

func open(t *testing.T, write Writer) *Output {
	t.Helper()
	o, err := OpenOutput(Launch{"web", 3, "web-3-x"}, write, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		o.Close(ctx)
	})
	return o
}

// runProgram runs a shell script as a gateway, to its end, and closes o.
func runProgram(t *testing.T, o *Output, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	cmd.Stdout, cmd.Stderr = o.Stdout(), o.Stderr()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o.Release()
	cmd.Wait()
	closeSoon(t, o)
}

func closeSoon(t *testing.T, o *Output) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := o.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestOutputThroughASink(t *testing.T) {
	j := &journald{}
	s := sinkTo(t, j)
	runProgram(t, open(t, s.WriteLine), `i=0; while [ $i -lt 5000 ]; do echo $i; echo e$i >&2; i=$((i+1)); done; printf '<2>last words' >&2; kill -SEGV $$`)
	s.put("web", Record{Message: []byte("ended"), Fields: []Field{{"GATEWAY", "web"}}})
	flush(t, s)
	var stdout, stderr []string
	for i := range 5000 {
		stdout, stderr = append(stdout, strconv.Itoa(i)), append(stderr, "e"+strconv.Itoa(i))
	}
	if got := j.messages("STREAM", "stdout"); !slices.Equal(got, stdout) {
		t.Errorf("stdout: %d lines of 5000, or not in order", len(got))
	}
	if got := j.messages("STREAM", "stderr"); !slices.Equal(got, append(stderr, "last words")) {
		t.Errorf("stderr: %d lines of 5001, or not in order", len(got))
	}
	records := j.all()
	if string(records[len(records)-1].Message) != "ended" {
		t.Error("words came after the end")
	}
	for _, r := range records[:len(records)-1] {
		if r.Get("GATEWAY") != "web" || r.Get("LAUNCH") != "3" || r.Get("CONTAINER_ID") != "web-3-x" || (r.Priority == 2) != (string(r.Message) == "last words") {
			t.Fatalf("%+v", r)
		}
	}
}

// Binary and endless lines: all bytes, in order.
func TestOutputIsComplete(t *testing.T) {
	var k keep
	o := open(t, k.write)
	noise := make([]byte, 3<<20)
	rand.Read(noise)
	want := append(bytes.ReplaceAll(noise, []byte("<"), []byte(">")), '\n') // no prefixes
	if _, err := o.Stdout().Write(want); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	fmt.Fprint(o.Stderr(), long)
	closeSoon(t, o)
	if got := k.get("stdout"); got != string(want) {
		t.Errorf("%d bytes of %d, or others", len(got), len(want))
	}
	if got := k.get("stderr"); got != long+"\n" {
		t.Errorf("%d bytes of %d, or others", len(got), len(long)+1)
	}
}

// The gateway shares the mode of what it writes to: non-blocking would lose
// what it prints while the pipe is full.
func TestOutputIsBlockingForTheGateway(t *testing.T) {
	o := open(t, (&keep{}).write)
	for _, f := range []*os.File{o.Stdout(), o.Stderr()} {
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
			cloexec, err2 := unix.FcntlInt(fd, unix.F_GETFD, 0)
			if err != nil || err2 != nil || flags&unix.O_NONBLOCK != 0 || cloexec&unix.FD_CLOEXEC == 0 {
				t.Errorf("flags %#x %#x: %v %v", flags, cloexec, err, err2)
			}
		})
	}
}

// A process outside of the container holds the pipe: Close ends all the same,
// says so, and has taken what was written before.
func TestOutputHeldOpen(t *testing.T) {
	var k keep
	o := open(t, k.write)
	held, err := unix.FcntlInt(o.Stdout().Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	holder := os.NewFile(uintptr(held), "held")
	defer holder.Close()
	fmt.Fprint(holder, "a line\nlast words")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err = o.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "close stdout: another process still holds it open") || strings.Contains(err.Error(), "stderr") {
		t.Error(err)
	}
	if again := o.Close(t.Context()); !errors.Is(again, err) {
		t.Errorf("second close: %v", again)
	}
	if got := k.get("stdout"); got != "a line\nlast words\n" {
		t.Errorf("%q", got)
	}
	if _, err := holder.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("the pipe is still read: %v", err)
	}
}

// Somebody outside who writes for ever cannot hold Close up.
func TestOutputHeldByAFlood(t *testing.T) {
	o := open(t, func(context.Context, Line) {})
	cmd := exec.CommandContext(t.Context(), "/usr/bin/yes")
	cmd.Stdout = o.Stdout()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := o.Close(ctx); err == nil {
		t.Error("closed without a word")
	}
	cmd.Process.Kill()
	cmd.Wait()
}

// The writer is blocked as well: Close ends the wait, and what lies in the pipe
// is handed over or counted, not forgotten.
func TestOutputOfABlockedJournal(t *testing.T) {
	j := &journald{}
	flow := j.block()
	s := sinkTo(t, j)
	o := open(t, s.WriteLine)
	text := []byte(strings.Repeat(strings.Repeat("x", 999)+"\n", 2000))
	if _, err := o.Stdout().Write(text); err != nil { // returns: a blocked journal holds nobody
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.Close(ctx)
	flow()
	flush(t, s)
	if got := len(j.messages("STREAM", "stdout")) + int(s.Dropped("web")); got != 2000 {
		t.Errorf("%d of 2000 lines are accounted for, %d dropped", got, s.Dropped("web"))
	}
}

// A launch that could not be created leaves nothing, nor does one that wrote
// nothing. (That no goroutine is left is checked for the whole package.)
func TestOutputLeavesNoFile(t *testing.T) {
	before := openFiles(t)
	for range 50 {
		o := open(t, (&keep{}).write)
		o.Release()
		closeSoon(t, o)
	}
	if after := openFiles(t); after > before+2 {
		t.Errorf("%d files were open, %d are", before, after)
	}
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
