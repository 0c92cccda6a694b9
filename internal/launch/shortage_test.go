package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// What a person is told to do fits what is lacking.
func TestAdvice(t *testing.T) {
	h := &Host{Dirs: dirsIn(t.TempDir())}
	must(t, h.Dirs.Create(false))
	fork := &fs.PathError{Op: "fork/exec", Path: "/proc/self/fd/100", Err: unix.EAGAIN}
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("open stdout: pipe2: %w", unix.EMFILE), "LimitNOFILE="},
		{unix.ENFILE, "fs.file-max"},
		{unix.ENOMEM, "MemoryMax="},
		{&runtime.CommandError{Op: "create", ID: "web-1", Err: fork}, "TasksMax="},
		{&fs.PathError{Op: "write", Path: "/x", Err: unix.ENOSPC}, h.Dirs.State + " has "},
		{&fs.PathError{Op: "write", Path: "/x", Err: unix.EDQUOT}, h.Dirs.Runtime + " has "},
		{&runtime.CommandError{Op: "create", ID: "web-1", Err: errors.New("youki ended with exit status 1")}, ""},
		{unix.EAGAIN, ""},
		{errors.New("no"), ""},
	} {
		got := h.Advised(c.err)
		if !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.want) || c.want == "" && got.Error() != c.err.Error() {
			t.Errorf("%v: advice %q, not %q", c.err, got, c.want)
		}
	}
	if h.Advised(nil) != nil {
		t.Error("advice on success")
	}
}

// A healthy gateway is not ended because gatewayd has nothing left to ask it with.
func TestProbeThatCannotBeAsked(t *testing.T) {
	la := &launch{host: &Host{}}
	noFork := &fs.PathError{Op: "fork/exec", Path: "nsenter", Err: unix.EAGAIN}
	for _, err := range []error{fmt.Errorf("GET http://x/: %w", unix.EMFILE), unix.ENOBUFS, fmt.Errorf("exec probe: %w", noFork)} {
		if got := la.unasked(err); !errors.Is(got, supervisor.ErrUnasked) || !errors.Is(got, err) {
			t.Errorf("%v counts against the gateway", got)
		}
	}
	for _, err := range []error{unix.ECONNREFUSED, unix.EAGAIN /* its backlog is full, of a unix socket */, errors.New("answered 503")} {
		if got := la.unasked(err); errors.Is(got, supervisor.ErrUnasked) {
			t.Errorf("%v does not count", got)
		}
	}
}
