package journal

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// next is what another image makes of a suspended Output.
func next(t *testing.T, o *Output, write Writer) *Output {
	t.Helper()
	s, stdout, stderr, err := o.Suspend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ResumeOutput(Launch{Gateway: "web"}, write, nil, s, stdout, stderr)
}

// Each line that is written around a change of images comes out once, also one
// that is cut by it, and what was written while nobody read.
func TestOutputOverImages(t *testing.T) {
	got := make(chan string, 100)
	write := func(_ context.Context, l Line) { got <- l.Stream + ":" + string(l.Text) }
	o, err := OpenOutput(Launch{Gateway: "web"}, write, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, errs := o.Stdout(), o.Stderr()
	say := func(f *os.File, text string) {
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	say(out, "one\n<3>tw")
	if line := <-got; line != "stdout:one" {
		t.Error(line)
	}
	s, stdout, stderr, err := o.Suspend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	say(out, "o\nth")
	say(errs, "bad\n")
	o2 := ResumeOutput(Launch{Gateway: "web"}, write, nil, s, stdout, stderr)
	both := []string{<-got, <-got}
	slices.Sort(both)
	if want := []string{"stderr:bad", "stdout:two"}; !slices.Equal(both, want) {
		t.Errorf("%q, want %q", both, want)
	}
	o3 := next(t, o2, write)
	say(out, "ree\n")
	out.Close()
	errs.Close()
	if err := o3.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if line := <-got; line != "stdout:three" || len(got) > 0 {
		t.Errorf("%q, and %d more", line, len(got))
	}
}

// What was suspended goes on when no other image comes.
func TestOutputContinues(t *testing.T) {
	got := make(chan string, 100)
	o, err := OpenOutput(Launch{}, func(_ context.Context, l Line) { got <- string(l.Text) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Stdout().WriteString("on")
	o.Stderr().Close() // one stream has ended
	for range 3 {
		s, _, _, err := o.Suspend(t.Context())
		if err != nil || s.Stdout.Ended {
			t.Fatal(s, err)
		}
		o.Continue()
	}
	o.Stdout().WriteString("e\n")
	if line := <-got; line != "one" {
		t.Error(line)
	}
	closed := make(chan error)
	if _, _, _, err := o.Suspend(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.Stdout().WriteString("last words")
	go func() { closed <- o.Close(t.Context()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, _, err := o.Suspend(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("suspended twice: %v", err)
	}
	o.Continue()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if line := <-got; line != "last words" {
		t.Error(line)
	}
	if s, stdout, stderr, err := o.Suspend(t.Context()); err != nil || !s.Stdout.Ended || !s.Stderr.Ended || stdout != nil || stderr != nil {
		t.Errorf("after Close: %+v, %v", s, err)
	}
}

// The priority of a line holds for all its chunks, whichever image they go through.
func TestChunksOverImages(t *testing.T) {
	var all []Line
	done := make(chan struct{}, 1)
	write := func(_ context.Context, l Line) {
		l.Text = []byte(strings.Clone(string(l.Text)))
		all = append(all, l)
		done <- struct{}{}
	}
	o, err := OpenOutput(Launch{}, write, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := o.Stdout()
	go out.WriteString("<2>" + strings.Repeat("x", maxText+10))
	<-done
	o2 := next(t, o, write)
	out.WriteString("y\n")
	<-done
	if len(all) != 2 || !all[0].Partial || all[1].Partial || all[0].Priority != 2 || all[1].Priority != 2 || len(all[0].Text)+len(all[1].Text) != maxText+11 {
		t.Errorf("%d lines: %d %d", len(all), len(all[0].Text), len(all[1].Text))
	}
	o.Release()
	if err := o2.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
