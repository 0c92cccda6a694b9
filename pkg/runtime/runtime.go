package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	runc "github.com/containerd/go-runc"
)

// defaultCallTimeout is some hundred times what a call takes on an idle machine.
const defaultCallTimeout = 10 * time.Second

// Options of a Runtime.
type Options struct {
	Root        string        // the runtime's --root: absolute, made with mode 0700 if missing
	CallTimeout time.Duration // bound of each call; 0: 10 s
}

// Runtime drives one runtime program. Its methods may be called at the same
// time for different containers.
type Runtime struct {
	name    string
	root    string
	timeout time.Duration
	fd      int // the sealed program
	closed  atomic.Bool
	inits   sync.Map // pids of the containers' inits, from Create until Reap
}

// owns says whether pid is the init of a container that Create has made.
func (r *Runtime) owns(pid int) bool {
	_, ok := r.inits.Load(pid)
	return ok
}

// Open takes a copy of the runtime program for the life of this process and
// makes its state directory. The file is checked once more, as in Find.
func Open(b Binary, o Options) (*Runtime, error) {
	if !filepath.IsAbs(o.Root) {
		return nil, fmt.Errorf("open runtime %s: root %q is not absolute", b.Name, o.Root)
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = defaultCallTimeout
	}
	if err := os.MkdirAll(o.Root, 0o700); err != nil {
		return nil, fmt.Errorf("open runtime %s: %w", b.Name, err)
	}
	fd, err := seal(b.Path)
	if err != nil {
		return nil, fmt.Errorf("open runtime %s: %w", b.Name, err)
	}
	return &Runtime{name: b.Name, root: o.Root, timeout: o.CallTimeout, fd: fd}, nil
}

// Close gives the sealed program back. No call may be in progress or follow.
// A daemon never calls it.
func (r *Runtime) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	return syscall.Close(r.fd)
}

// IDs returns the ids of all containers of which the runtime keeps state,
// also of those that no command of the runtime can load any more.
func (r *Runtime) IDs() ([]string, error) {
	entries, err := os.ReadDir(r.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var ids []string
	for _, entry := range entries {
		if entry.IsDir() {
			ids = append(ids, entry.Name())
		}
	}
	return ids, nil
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
		Command:      fmt.Sprintf("%s%d", sealedPrefix, r.fd),
		WorkDir:      "/",
		Root:         r.root,
		Log:          log,
		LogFormat:    runc.JSON,
		PdeathSignal: syscall.SIGKILL,
		Setpgid:      true,
	}
}

// sealedPrefix is how every runtime call of ours names its program in argv[0].
const sealedPrefix = "/proc/self/fd/"

// validID is what all three runtimes take, less what could be read as an option
// or leave the directory.
var validID = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.+-]{0,199}$`)

func checkID(id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("container id %.60q: must match %s", id, validID)
	}
	return nil
}
