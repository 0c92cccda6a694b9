package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/internal/fakeruntime"
	"github.com/gatewayd/gatewayd/internal/inside"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// The test binary plays many parts: the tests, the fake runtime, gatewayd's
// hidden commands, a program in a container, and a daemon that is killed.
func TestMain(m *testing.M) {
	weakRuntime()
	fakeruntime.Main()
	if len(os.Args) > 1 {
		if part := parts()[os.Args[1]]; part != nil {
			syscall.Exit(part(os.Args[2:])) // not os.Exit: the race detector would wait a second
		}
	}
	if err := open(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(filepath.Dir(reachableSelf()))
	os.Exit(code)
}

// reachableSelf is a copy of this binary where a container can come to it.
var reachableSelf = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("/tmp", "launch-self-")
	path := filepath.Join(dir, "gatewayd")
	if err = errors.Join(err, os.Chmod(dir, 0o711), copyFile("/proc/self/exe", path)); err != nil {
		panic(err)
	}
	return path
})

// open makes this process what gatewayd is before its first launch.
func open() error {
	if err := runtime.BecomeSubreaper(); err != nil {
		return err
	}
	cgroup, err := runtime.Delegated()
	if err != nil {
		return nil // this machine has none to give
	}
	return cgroup.Enter("supervisor")
}

// parts are the other programs by name. A function: they use what uses it.
func parts() map[string]func(args []string) int {
	return map[string]func([]string) int{
		"init": func(args []string) int {
			code, err := inside.Init(args)
			if err != nil {
				return inside.Code(complain(err))
			}
			return code
		},
		"confine":     func(args []string) int { return inside.Code(complain(inside.Confine(args))) },
		"hook":        func([]string) int { return code(inside.LoopbackUp()) },
		"try-overlay": func([]string) int { return code(inside.TryOverlay()) },
		"stage":       func(args []string) int { return code(bundle.HelperMain(context.Background(), args)) },
		"program":     program,
		"daemon":      daemon,
	}
}

func complain(err error) error {
	fmt.Fprintln(os.Stderr, err)
	return err
}

func code(err error) int {
	if err != nil {
		_ = complain(err)
		return 1
	}
	return 0
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
