package bundle

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// testOperations are those of a helper in tests.
var testOperations = map[string]operation{
	"strew": serve(strew),
	"fail": serve(func(_ context.Context, n struct{ Case int }) (struct{ Case int }, error) {
		return n, crossing()[n.Case]
	}),
	"look": serve(func(context.Context, noOptions) (looked, error) {
		group, err := unix.Getpgid(0)
		return looked{os.Environ(), group == os.Getpid(), os.Args}, err
	}),
	"hang": serve(func(_ context.Context, h hanging) (noOptions, error) {
		if err := os.WriteFile(h.Started, []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return noOptions{}, err
		}
		time.Sleep(time.Hour) // is killed
		return noOptions{}, nil
	}),
}

type looked struct {
	Environ []string
	Leader  bool // of a process group of its own
	Args    []string
}

// hanging names a FIFO that the helper writes its process id to.
type hanging struct{ Started string }

// crossing are errors of a helper. A function: an error must not be the same one
// on both sides because of its place in memory.
func crossing() []error {
	path := func(path string, err error) error { return &fs.PathError{Op: "open", Path: path, Err: err} }
	return []error{
		path("etc/shadow", unix.EACCES),
		path("with \xff and \n", fmt.Errorf("%w (mode 0000)", unix.EPERM)),
		sourceError("read", "grown", ErrChanged),
		fmt.Errorf("copy x: %w", path("socket", fmt.Errorf("socket: %w", ErrSpecialFile))),
		errors.Join(path("a", unix.EBUSY), errors.New("and 5 more"), path("b", fs.ErrExist)),
		fmt.Errorf("%w: %w: of both", ErrTooLarge, context.Canceled),
		&os.SyscallError{Syscall: "xattr user.x", Err: unix.ENOSPC},
		&os.LinkError{Op: "rename", Old: "a", New: "b", Err: unix.EXDEV},
		errors.Join(ErrUnmapped),
	}
}

func TestErrorsCrossTheProcessBoundary(t *testing.T) {
	targets := []error{
		unix.EACCES, unix.EPERM, unix.EBUSY, unix.ENOSPC, unix.EXDEV, fs.ErrPermission, fs.ErrExist, context.Canceled,
		ErrSpecialFile, ErrChanged, ErrTooLarge, ErrUnmapped, ErrNoRange, ErrRefused,
	}
	for i, want := range crossing() {
		t.Run(strings.ReplaceAll(want.Error(), "/", " "), func(t *testing.T) {
			o := helperOptions()
			answer, err := inNamespace[struct{ Case int }](context.Background(), o.Helper, o.IDs, "fail", struct{ Case int }{i})
			if err == nil || err.Error() != want.Error() || answer.Case != i {
				t.Fatalf("error %q, want %q; answer %v", err, want, answer)
			}
			for _, target := range targets {
				if errors.Is(err, target) != errors.Is(want, target) {
					t.Errorf("is it %v? %v", target, errors.Is(err, target))
				}
			}
			samePaths(t, want, err)
		})
	}
}

// samePaths compares what errors.As finds, and the parts of what was joined.
func samePaths(t *testing.T, want, have error) {
	t.Helper()
	w, h := new(fs.PathError), new(fs.PathError)
	if errors.As(want, &w) != errors.As(have, &h) || w.Op != h.Op || w.Path != h.Path {
		t.Errorf("path error %q, want %q", h, w)
	}
	joined, ok := want.(interface{ Unwrap() []error })
	if !ok || want.Error() != errors.Join(joined.Unwrap()...).Error() || len(joined.Unwrap()) == 1 {
		return
	}
	parts, ok := have.(interface{ Unwrap() []error })
	if !ok || len(parts.Unwrap()) != len(joined.Unwrap()) {
		t.Fatalf("%q is not %d errors", have, len(joined.Unwrap()))
	}
	for i := range joined.Unwrap() {
		samePaths(t, joined.Unwrap()[i], parts.Unwrap()[i])
	}
}

// FuzzFault: what a helper may answer is an error with words or none, and never
// the end of its parent.
func FuzzFault(f *testing.F) {
	for _, err := range crossing()[:4] {
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(reply{faultOf(err)}); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		var r reply
		if gob.NewDecoder(bytes.NewReader(data)).Decode(&r) != nil {
			return
		}
		if err := r.Fault.error(); err != nil {
			_ = err.Error()
			_ = errors.Is(err, ErrChanged)
		}
	})
}

func TestHelperHasNothingOfItsParents(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	for _, ids := range []IDMap{SingleID(os.Getuid(), os.Getgid()), rangeIDs(t)} {
		have, err := inNamespace[looked](context.Background(), helperOptions().Helper, ids, "look", noOptions{})
		must(t, err)
		if len(have.Environ) > 0 || !have.Leader || len(have.Args) != 2 {
			t.Errorf("%+v", have)
		}
	}
}

func TestHelperThatFails(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	const mapped = "(echo >&3; read x <&3) 2>/dev/null; " // where there is somebody to tell
	shell := func(script string) []string { return []string{"/bin/sh", "-c", script, "sh"} }
	for name, c := range map[string]struct {
		argv  []string
		words string
	}{
		"none":            {nil, "no program"},
		"absent":          {[]string{"/nonexistent/helper"}, "no such file"},
		"silent":          {shell(mapped + "exit 0"), "EOF"},
		"not what it is":  {[]string{"/bin/true"}, "EOF"},
		"dies":            {shell(mapped + "echo its words >&2; kill -9 $$"), "its words"},
		"babbles":         {shell(mapped + "echo babble"), "read the answer"},
		"never ends":      {shell(mapped + "exec cat /dev/zero"), "larger than allowed"},
		"knows no way on": {append(helperOptions().Helper, "surplus"), "too many"},
	} {
		for _, ids := range []IDMap{SingleID(os.Getuid(), os.Getgid()), rangeIDs(t)} {
			t.Run(fmt.Sprint(name, " ", ids.Single()), func(t *testing.T) {
				_, err := inNamespace[inside](context.Background(), c.argv, ids, "check", noOptions{})
				if err == nil || !told(err, c.words) {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

func TestHelperIsAskedForWhatItDoesNotKnow(t *testing.T) {
	o := helperOptions()
	if _, err := inNamespace[inside](context.Background(), o.Helper, o.IDs, "dance", noOptions{}); !told(err, `no operation "dance"`) {
		t.Errorf("error %v", err)
	}
}

// fifo makes one, and returns what is written to it first.
func fifo(t *testing.T) (path string, written func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	must(t, unix.Mkfifo(path, 0o600))
	return path, func() string {
		text, _ := os.ReadFile(path) // "" fails in the test
		return string(text)
	}
}

func TestHelperIsKilledWithItsContext(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	for _, ids := range []IDMap{SingleID(os.Getuid(), os.Getgid()), rangeIDs(t)} {
		started, written := fifo(t)
		ctx, cancel := context.WithCancel(context.Background())
		var pid int
		go func() {
			pid, _ = strconv.Atoi(written())
			cancel()
		}()
		_, err := inNamespace[noOptions](ctx, helperOptions().Helper, ids, "hang", hanging{started})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("the helper %d is left: %v", pid, err)
		}
	}
}

// The end of the context comes before there is anything to ask.
func TestHelperIsKilledBeforeItIsMapped(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	for name, script := range map[string]string{
		"helper": "echo $$ >%s; exec sleep 1000",
		"mapper": "", // hangs instead of newuidmap
	} {
		t.Run(name, func(t *testing.T) {
			started, written := fifo(t)
			ctx, cancel := context.WithCancel(context.Background())
			n := namespace{helper: helperOptions().Helper, ids: rangeIDs(t), tools: toolDirs}
			if script != "" {
				n.helper = []string{"/bin/sh", "-c", fmt.Sprintf(script, started), "sh"}
			} else {
				dir := filepath.Dir(started)
				must(t, os.WriteFile(filepath.Join(dir, "newuidmap"), fmt.Appendf(nil, "#!/bin/sh\necho $$ >%s; exec sleep 1000", started), 0o755))
				n.tools = []string{dir}
			}
			var pid int
			go func() {
				pid, _ = strconv.Atoi(strings.TrimSpace(written()))
				cancel()
			}()
			if _, err := ask[inside](ctx, n, "check", noOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
				t.Errorf("process %d is left: %v", pid, err)
			}
		})
	}
}

// beParent waits for a helper that hangs, with ids of a range.
func beParent(started string) error {
	ids, err := SubordinateIDs(os.Getuid(), os.Getuid(), os.Getgid())
	if err != nil {
		return err
	}
	_, err = inNamespace[noOptions](context.Background(), helperOptions().Helper, ids, "hang", hanging{started})
	return err
}

// A helper loses the kernel's promise to kill it when it gains capabilities.
func TestHelperDiesWithItsParent(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	started, written := fifo(t)
	parent := exec.Command("/proc/self/exe", roleParent, started)
	parent.Stderr = os.Stderr
	parent.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, parent.Start())
	pid, err := strconv.Atoi(written())
	must(t, err)
	fd, err := unix.PidfdOpen(pid, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, parent.Process.Kill())
	_ = parent.Wait() // was killed
	const generous = 60_000
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, generous)
	if n != 1 {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		t.Errorf("the helper lives on: %v", err)
	}
}

// Root's helper is root of the namespace only, and alone in its groups.
func TestHelperOfRoot(t *testing.T) {
	testenv.NeedRoot(t)
	for _, ids := range []IDMap{SingleID(64999, 64999), {
		UIDs: []IDRange{{Host: 64999, Size: 1}, {Container: 1, Host: 70000, Size: 5}},
		GIDs: []IDRange{{Host: 64999, Size: 1}, {Container: 1, Host: 70000, Size: 5}},
	}} {
		have, err := inNamespace[inside](context.Background(), helperOptions().Helper, ids, "check", noOptions{})
		must(t, err, have.differs(ids))
	}
}
