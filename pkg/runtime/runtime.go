package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	runc "github.com/containerd/go-runc"

	"github.com/gatewayd/gatewayd/internal/step"
)

// defaultCallTimeout is some hundred times what a call takes on an idle machine.
const defaultCallTimeout = 10 * time.Second

// Options of a Runtime.
type Options struct {
	Root        string        // the runtime's --root: absolute, made with mode 0700 if missing
	CallTimeout time.Duration // bound of each call; 0: 10 s

	// Shown is given what a runtime says, before it is shortened, and returns what
	// may be told of it: without secrets, say. Nil: all of it.
	Shown func(words string) string
}

// Runtime drives one runtime program. Its methods may be called at the same
// time for different containers.
type Runtime struct {
	binary  Binary
	root    string
	timeout time.Duration
	shown   func(string) string
	program *sealed
	closed  atomic.Bool
	inits   sync.Map // pids of the containers' inits, from Create until Reap
}

// owns says whether pid is the init of a container that Create has made.
func (r *Runtime) owns(pid int) bool {
	_, ok := r.inits.Load(pid)
	return ok
}

// Open takes over the copy of the program that Find made, for the life of this
// process, and makes the runtime's state directory.
func Open(b Binary, o Options) (*Runtime, error) {
	if !filepath.IsAbs(o.Root) {
		return nil, fmt.Errorf("open runtime %s: root %q is not absolute", b.Name, o.Root)
	}
	if b.sealed == nil {
		return nil, fmt.Errorf("open runtime %s: it does not come from Find", b.Name)
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = defaultCallTimeout
	}
	if o.Shown == nil {
		o.Shown = func(words string) string { return words }
	}
	if err := os.MkdirAll(o.Root, 0o700); err != nil {
		return nil, fmt.Errorf("open runtime %s: %w", b.Name, err)
	}
	step.Done("runtime-root-made")
	return &Runtime{binary: b, root: o.Root, timeout: o.CallTimeout, shown: o.Shown, program: b.sealed}, nil
}

// Name returns the name of the program: youki, crun or runc.
func (r *Runtime) Name() string { return r.binary.Name }

// Binary returns what Open was given.
func (r *Runtime) Binary() Binary { return r.binary }

// Close gives the sealed program back. No call may be in progress or follow.
// A daemon never calls it.
func (r *Runtime) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	return r.program.close()
}

// client is go-runc for one call, with a log file of its own.
//
// Setpgid: Ctrl-C on a foreground daemon must not hit a call in progress.
// PdeathSignal: a killed daemon takes its calls with it (go-runc locks the
// thread that forks, whose death would count as the daemon's). The signal goes
// to the call only, not to what it forked: the waiting init of a container
// outlives the daemon, and is found by ProcessesNaming or by its leaf.
// WorkDir: youki does nothing in a directory that is gone.
func (r *Runtime) client(log string) *runc.Runc {
	return &runc.Runc{
		Command:      r.program.path(),
		WorkDir:      "/",
		Root:         r.root,
		Log:          log,
		LogFormat:    runc.JSON,
		PdeathSignal: syscall.SIGKILL,
		Setpgid:      true,
	}
}

// maxID is far above what gatewayd makes, and below a file name's 255 bytes
// with what runtimes add to it.
const maxID = 200

// checkID takes what all three runtimes take, less what could be read as an
// option or leave the directory. It is no regular expression: compiling one
// would cost each start of the program a millisecond.
func checkID(id string) error {
	for i := range len(id) {
		if !alphanumeric(id[i]) && (i == 0 || !strings.ContainsRune("_.+-", rune(id[i]))) {
			return fmt.Errorf("container id %.60q: must begin with a letter or digit and go on with those and _.+-", id)
		}
	}
	if id == "" || len(id) > maxID {
		return fmt.Errorf("container id %.60q: must have 1 to %d characters", id, maxID)
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
