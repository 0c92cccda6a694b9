package runtime

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// suite is what every runtime must do, the fake one as the real ones.
func suite(t *testing.T, path string) {
	tests := map[string]func(*testing.T, *bench){
		"exit code":               suiteExitCode,
		"exit by signal":          suiteExitBySignal,
		"stop":                    suiteStop,
		"stop without handler":    suiteStopWithoutHandler,
		"stop ignored":            suiteStopIgnored,
		"stop before start":       suiteStopBeforeStart,
		"descriptors":             suiteDescriptors,
		"exec failure":            suiteExecFailure,
		"refused create":          suiteRefusedCreate,
		"failing init":            suiteFailingInit,
		"start twice":             suiteStartTwice,
		"delete":                  suiteDelete,
		"delete while it runs":    suiteDeleteRunning,
		"create cut at any time":  suiteCutCreate,
		"kill of what was forked": suiteKillForked,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t, path, 20*time.Second)) })
	}
}

func suiteExitCode(t *testing.T, b *bench) {
	for _, want := range []string{"0", "7", "255"} {
		t.Run(want, func(t *testing.T) {
			l := b.run(t, "/prog", "program", "exit", want)
			l.line(t)
			if end := l.ends(t); end.Signal != 0 || want != itoa(end.Code) {
				t.Errorf("status = %+v, want code %s", end, want)
			}
			if s, err := readStat(l.Pid()); err != nil || !s.dead() {
				t.Errorf("the zombie does not keep its pid until Reap: %+v, %v", s, err)
			}
			if words := l.Words(); words != "" {
				t.Errorf("the runtime says %q of a launch that went well", words)
			}
		})
	}
}

func suiteExitBySignal(t *testing.T, b *bench) {
	l := b.run(t, "/prog", "program", "wait")
	l.line(t)
	if end := l.Process().Status(); end.Code != -1 {
		t.Errorf("status of a running process = %+v", end)
	}
	if err := l.Process().Reap(); !errors.Is(err, ErrRunning) {
		t.Errorf("reap of a running process: %v, want ErrRunning", err)
	}
	must(t, l.Process().Signal(syscall.SIGKILL))
	if end := l.ends(t); end != (Status{Signal: syscall.SIGKILL}) {
		t.Errorf("status = %+v, want SIGKILL", end)
	}
	must(t, l.Process().Signal(syscall.SIGTERM)) // gone: nil
}

func suiteStop(t *testing.T, b *bench) {
	l := b.run(t, "/prog", "program", "wait")
	l.line(t)
	must(t, l.Process().Stop(syscall.SIGTERM))
	if end := l.ends(t); end != (Status{}) {
		t.Errorf("status = %+v, want code 0 from its handler", end)
	}
}

// A PID 1 without a handler ignores SIGTERM: it would use up the whole timeout.
func suiteStopWithoutHandler(t *testing.T, b *bench) {
	l := b.run(t, "/usr/bin/sleep", "60")
	waitFor(t, "the exec", func() bool {
		args := arguments(l.Pid())
		return len(args) > 0 && args[0] == "/usr/bin/sleep"
	})
	must(t, l.Process().Stop(syscall.SIGTERM))
	if end := l.ends(t); end.Signal != syscall.SIGKILL {
		t.Errorf("status = %+v, want SIGKILL", end)
	}
}

func suiteStopIgnored(t *testing.T, b *bench) {
	l := b.run(t, "/prog", "program", "ignore")
	l.line(t)
	must(t, l.Process().Stop(syscall.SIGTERM))
	d, err := readDisposition(l.Pid())
	must(t, err)
	if !d.init || d.drops(syscall.SIGTERM) {
		t.Errorf("disposition = %+v, want a PID 1 that ignores SIGTERM", d)
	}
	if pending := l.Process().Status(); pending.Code != -1 {
		t.Errorf("it ended: %+v", pending)
	}
}

func suiteStopBeforeStart(t *testing.T, b *bench) {
	const id = "web-1-abc"
	l, err := b.create(t, id, b.bundle(t, id, nil, "/prog", "program", "wait"))
	must(t, err)
	must(t, l.Process().Signal(syscall.SIGKILL))
	l.clean(t)
}

func suiteDescriptors(t *testing.T, b *bench) {
	const id = "web-1-abc"
	read, write, err := os.Pipe()
	must(t, err)
	defer read.Close()
	_, err = io.WriteString(write, "passed on")
	must(t, errors.Join(err, write.Close()))
	o := b.bundle(t, id, nil, "/prog", "program", "descriptor")
	o.ExtraFiles = []*os.File{read}
	l, err := b.create(t, id, o)
	must(t, err)
	defer l.clean(t)
	must(t, l.Start(t.Context()))
	if got := l.line(t); got != "ready passed on <nil>" {
		t.Errorf("the program read %q", got)
	}
}

// Start succeeds, or not; either way the program's end and the words tell.
func suiteExecFailure(t *testing.T, b *bench) {
	const id = "web-1-abc"
	l, err := b.create(t, id, b.bundle(t, id, nil, "/broken"))
	must(t, err)
	defer l.clean(t)
	started := l.Start(t.Context())
	if end := l.ends(t); end.Code < 1 {
		t.Errorf("status = %+v, want a code above 0", end)
	}
	output, _ := io.ReadAll(l.out)
	t.Logf("start: %v; words: %q; output: %.300q", started, l.Words(), output)
	if l.Words() == "" && len(output) == 0 {
		t.Error("nothing tells why")
	}
}

func suiteRefusedCreate(t *testing.T, b *bench) {
	const id = "web-1-abc"
	o := b.bundle(t, id, func(s *specs.Spec) { s.Process = nil })
	_, err := b.create(t, id, o)
	var command *CommandError
	if !errors.As(err, &command) {
		t.Fatalf("create = %v, want a CommandError", err)
	}
	t.Log(err)
	if command.Op != "create" || command.ID != id || command.Detail == "" {
		t.Errorf("error = %+v, want the runtime's own words", command)
	}
	must(t, b.Delete(t.Context(), id))
}

// An init that fails in the middle of its work has already been forked.
func suiteFailingInit(t *testing.T, b *bench) {
	const id = "web-1-abc"
	o := b.bundle(t, id, func(s *specs.Spec) { s.Mounts[1].Type = "nosuchfs" }, "/prog", "program", "wait")
	_, err := b.create(t, id, o)
	var command *CommandError
	if !errors.As(err, &command) || command.Detail == "" {
		t.Errorf("create = %v, want a CommandError with the runtime's words", err)
	}
	t.Log(err)
	must(t, b.Delete(t.Context(), id))
}

func suiteStartTwice(t *testing.T, b *bench) {
	l := b.run(t, "/prog", "program", "wait")
	l.line(t)
	err := l.Start(t.Context())
	var command *CommandError
	if !errors.As(err, &command) || command.Op != "start" || command.Detail == "" {
		t.Errorf("second start = %#v, want a CommandError with the runtime's words", err)
	}
	t.Log(err)
	must(t, l.Process().Stop(syscall.SIGTERM))
	if end := l.ends(t); end != (Status{}) {
		t.Errorf("status = %+v: the second start has touched the program", end)
	}
}

func suiteDelete(t *testing.T, b *bench) {
	must(t, b.Delete(t.Context(), "never-1-was"))
	const id = "half-1-made" // what a killed create leaves
	must(t, os.MkdirAll(filepath.Join(b.root, id, "sub"), 0o700))
	must(t, os.WriteFile(filepath.Join(b.root, id, "state.json"), []byte("{"), 0o600))
	must(t, os.Symlink(b.dir, filepath.Join(b.root, id, "link")))
	must(t, b.Delete(t.Context(), id))
	must(t, b.Delete(t.Context(), id))
	entries, err := os.ReadDir(b.root)
	must(t, err)
	if len(entries) > 0 {
		t.Errorf("left: %v", entries)
	}
	if err := b.Delete(t.Context(), "../"+filepath.Base(b.dir)); err == nil {
		t.Error("an id that leaves the directory is accepted")
	}
}

func suiteDeleteRunning(t *testing.T, b *bench) {
	l := b.run(t, "/prog", "program", "ignore")
	l.line(t)
	must(t, b.Delete(t.Context(), l.ID()))
	if end := l.ends(t); end.Signal != syscall.SIGKILL {
		t.Errorf("status = %+v, want SIGKILL by delete --force", end)
	}
}

// A create that is cut at any moment leaves nothing running, and a Delete later
// no state. What it does in the middle is different for each runtime.
func suiteCutCreate(t *testing.T, b *bench) {
	for after := time.Millisecond / 2; after < 100*time.Millisecond; after = after * 3 / 2 {
		id := "web-1-" + strings.ReplaceAll(after.String(), "µ", "u")
		o := b.bundle(t, id, nil, "/prog", "program", "wait")
		o.Stdout, o.Stderr = discard(t), discard(t)
		ctx, cancel := context.WithTimeout(t.Context(), after)
		c, err := b.Create(ctx, id, o)
		cancel()
		if err == nil {
			(&launch{c, nil, b, o}).clean(t)
			continue
		}
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrRunning) {
			t.Errorf("create cut after %v: %v", after, err)
		}
		must(t, b.Delete(t.Context(), id))
		nothingRuns(t)
		if o.Leaf == nil {
			noStrays(t, id)
		}
	}
}

func suiteKillForked(t *testing.T, b *bench) {
	l := b.run(t, "/prog", "program", "fork")
	l.line(t) // printed by the process that was forked
	forked, err := descendants(l.Pid())
	must(t, err)
	if len(forked) != 1 {
		t.Fatalf("%d processes below the init, want 1", len(forked))
	}
	i, err := Identify(forked[0].pid)
	must(t, err)
	if l.o.Leaf != nil {
		must(t, l.o.Leaf.Kill(t.Context()))
	} else {
		must(t, l.Process().Signal(syscall.SIGKILL)) // the end of PID 1 ends its namespace
	}
	l.ends(t)
	if i.Alive() {
		t.Error("what the program forked has survived")
	}
}
