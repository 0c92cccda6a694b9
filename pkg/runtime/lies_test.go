package runtime

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// told opens the fake runtime with the words that it obeys.
func told(t *testing.T, timeout time.Duration, behaviour string) *bench {
	t.Helper()
	b := open(t, self(t), timeout)
	must(t, os.WriteFile(filepath.Join(b.dir, "behaviour"), []byte(behaviour), 0o600))
	return b
}

// refused calls Create, which must fail and leave nothing, and returns its error.
func (b *bench) refused(t *testing.T) *CommandError {
	t.Helper()
	const id = "web-1-abc"
	l, err := b.create(t, id, b.bundle(t, id, nil, "/prog", "program", "wait"))
	if err == nil {
		l.clean(t)
		t.Fatal("create succeeds")
	}
	t.Log(err)
	var command *CommandError
	if !errors.As(err, &command) {
		t.Fatalf("create = %v, want a CommandError", err)
	}
	if errors.Is(err, ErrRunning) {
		t.Error("something may be left")
	}
	nothingRuns(t)
	must(t, b.Delete(t.Context(), id))
	states, err := os.ReadDir(b.root)
	must(t, err)
	if len(states) > 0 {
		t.Errorf("state is left: %v", states)
	}
	return command
}

func TestCreateThatHangs(t *testing.T) {
	for _, behaviour := range []string{"create-hang", "create-hang-late",
		"create-hang-late create-orphans", "create-hang-late create-disguise"} {
		t.Run(behaviour, func(t *testing.T) {
			err := told(t, time.Second, behaviour).refused(t)
			if want := "create web-1-abc: youki gave no answer within 1s"; err.Error() != want {
				t.Errorf("error = %q, want %q", err, want)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error("not a context.DeadlineExceeded")
			}
		})
	}
}

func TestCreateThatFails(t *testing.T) {
	for behaviour, want := range map[string]string{
		"create-die-early":                      "create web-1-abc: youki ended with signal: killed",
		"create-die-late":                       "create web-1-abc: youki ended with signal: killed",
		"create-die-late create-orphans":        "create web-1-abc: youki ended with signal: killed",
		"create-die-late create-disguise-group": "create web-1-abc: youki ended with signal: killed",
		"create-refuse-late":                    "create web-1-abc: youki ended with exit status 1: no more room",
		"create-refuse-late create-orphans":     "create web-1-abc: youki ended with exit status 1: no more room",
		"create-flood":                          "create web-1-abc: youki ended with exit status 1: the failure (the cause)",
	} {
		t.Run(behaviour, func(t *testing.T) {
			if err := told(t, 0, behaviour).refused(t); err.Error() != want {
				t.Errorf("error = %q, want %q", err, want)
			}
		})
	}
}

func TestCreateThatLies(t *testing.T) {
	for _, behaviour := range []string{"create-no-pid", "create-pid=1", "create-pid=0", "create-pid=-1",
		"create-pid=twelve", "create-pid=", "create-pid=" + strings.Repeat("9", 1000)} {
		t.Run(behaviour[:min(len(behaviour), 20)], func(t *testing.T) {
			err := told(t, 0, behaviour).refused(t)
			if !strings.HasPrefix(err.Error(), "create web-1-abc: youki reported success: ") {
				t.Errorf("error = %q", err)
			}
		})
	}
}

// A pid that is somebody else's must be neither watched nor touched.
func TestCreateNamesStranger(t *testing.T) {
	b := told(t, 0, "")
	child, err := os.StartProcess("/proc/self/exe", []string{"prog", "program", "ignore"}, &os.ProcAttr{})
	must(t, err)
	defer func() { must(t, child.Kill()); _, _ = child.Wait() }()
	waitFor(t, "a tick of the clock of start times", func() bool {
		s, err := readStat(child.Pid)
		now, _ := uptime()
		return err == nil && s.start < inTicks(now)
	})
	for name, pid := range map[string]int{"our parent": os.Getppid(), "ourselves": os.Getpid(), "our child": child.Pid} {
		t.Run(name, func(t *testing.T) {
			must(t, os.WriteFile(filepath.Join(b.dir, "lie"), []byte(strconv.Itoa(pid)), 0o600))
			const id = "web-1-abc"
			_, err := b.create(t, id, b.bundle(t, id, nil, "/prog", "program", "wait"))
			t.Log(err)
			if err == nil {
				t.Fatal("create succeeds")
			}
			left, err := descendants(os.Getpid())
			must(t, err)
			if len(left) != 1 || left[0].pid != child.Pid || left[0].dead() || left[0].state == 'T' {
				t.Errorf("left: %+v, want the child %d as it was", left, child.Pid)
			}
			must(t, b.Delete(t.Context(), id))
			must(t, os.RemoveAll(filepath.Join(b.dir, id)))
		})
	}
}

func TestCancelledCreate(t *testing.T) {
	b := told(t, time.Minute, "create-hang")
	const id = "web-1-abc"
	o := b.bundle(t, id, nil, "/prog", "program", "wait")
	o.Stdout, o.Stderr = discard(t), discard(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for found := false; !found; { // until the call is there
			below, _ := descendants(os.Getpid())
			for _, s := range below {
				found = found || names(strings.Join(arguments(s.pid), " "), id)
			}
		}
	}()
	if _, err := b.Create(ctx, id, o); !errors.Is(err, context.Canceled) {
		t.Errorf("create = %v, want context.Canceled", err)
	}
}

func TestStartThatHangs(t *testing.T) {
	b := told(t, 0, "start-hang")
	const id = "web-1-abc"
	l, err := b.create(t, id, b.bundle(t, id, nil, "/prog", "program", "wait"))
	must(t, err)
	defer l.clean(t)
	b.timeout = time.Second
	err = l.Start(t.Context())
	b.timeout = defaultCallTimeout
	if want := "start web-1-abc: youki gave no answer within 1s"; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %q", err, want)
	}
	if s, err := readStat(l.Pid()); err != nil || s.dead() || s.state == 'T' {
		t.Errorf("the container's init was hit with the call: %+v, %v", s, err)
	}
}

func TestStartThatFails(t *testing.T) {
	for behaviour, want := range map[string]string{
		"start-refuse": "start web-1-abc: youki did not succeed: not in the mood",
		"start-silent": "words on stdout only",
	} {
		t.Run(behaviour, func(t *testing.T) {
			b := told(t, 0, behaviour)
			const id = "web-1-abc"
			l, err := b.create(t, id, b.bundle(t, id, nil, "/prog", "program", "wait"))
			must(t, err)
			defer l.clean(t)
			if err := l.Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error = %v, want %q", err, want)
			}
		})
	}
}

func TestDeleteThatHangs(t *testing.T) {
	b := told(t, time.Second, "delete-hang")
	must(t, os.Mkdir(filepath.Join(b.root, "web-1-abc"), 0o700))
	err := b.Delete(t.Context(), "web-1-abc")
	if want := "delete web-1-abc: youki gave no answer within 1s"; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %q", err, want)
	}
	must(t, b.Delete(t.Context(), "web-1-abc")) // the state went all the same
	entries, err := os.ReadDir(b.root)
	must(t, err)
	if len(entries) > 0 {
		t.Errorf("left: %v", entries)
	}
}

func TestDeleteThatIsRefused(t *testing.T) {
	b := told(t, 0, "delete-refuse")
	must(t, os.Mkdir(filepath.Join(b.root, "web-1-abc"), 0o700))
	must(t, b.Delete(t.Context(), "web-1-abc"))
}

// One call that hangs must not delay another.
func TestHangOfOneLeavesOthersAlone(t *testing.T) {
	hanging, working := told(t, time.Minute, "create-hang"), told(t, 0, "")
	ctx, cancel := context.WithCancel(t.Context())
	o := hanging.bundle(t, "hang-1-abc", nil, "/prog", "program", "wait")
	o.Stdout, o.Stderr = discard(t), discard(t)
	done := make(chan error, 1)
	go func() { _, err := hanging.Create(ctx, "hang-1-abc", o); done <- err }()
	end := sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("create = %v, want context.Canceled", err)
		}
	})
	defer end()
	l := working.run(t, "/prog", "program", "wait")
	l.line(t)
	end()
	if s, err := readStat(l.Pid()); err != nil || s.dead() {
		t.Errorf("the end of one call has hit another container: %+v, %v", s, err)
	}
	must(t, l.Process().Stop(syscall.SIGTERM))
	if status := l.ends(t); status != (Status{}) {
		t.Errorf("status = %+v", status)
	}
}

func TestRefusedOptions(t *testing.T) {
	b := told(t, 0, "")
	good := b.bundle(t, "web-1-abc", nil, "/prog", "program", "wait")
	good.Stdout, good.Stderr = discard(t), discard(t)
	for name, spoil := range map[string]func(*CreateOptions, *string){
		"relative bundle":  func(o *CreateOptions, _ *string) { o.Bundle = "here" },
		"relative dir":     func(o *CreateOptions, _ *string) { o.Dir = "." },
		"no output":        func(o *CreateOptions, _ *string) { o.Stderr = nil },
		"too many within":  func(o *CreateOptions, _ *string) { o.Within, o.ExtraFiles = 1, make([]*os.File, 7) },
		"too many files":   func(o *CreateOptions, _ *string) { o.ExtraFiles = make([]*os.File, b.program.fd) },
		"id of an option":  func(_ *CreateOptions, id *string) { *id = "--force" },
		"id with a parent": func(_ *CreateOptions, id *string) { *id = "../up" },
		"id of nothing":    func(_ *CreateOptions, id *string) { *id = "" },
	} {
		o, id := good, "web-1-abc"
		spoil(&o, &id)
		if _, err := b.Create(t.Context(), id, o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
