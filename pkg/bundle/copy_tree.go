package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// A tree is one copy in progress. Each worker holds the two ends of a directory
// open and those of the file that it copies, whatever the depth and the breadth
// of the tree: a directory that waits is opened by its path, beneath the two
// roots, when its turn comes.
type tree struct {
	CopyOptions
	ctx      context.Context
	from, to int // the roots
	owners   owners
	lacks    lacks
	links    links
	shelved  atomic.Int32 // listings that wait half read

	entries, bytes atomic.Int64

	ended           atomic.Bool // err is set
	mu              sync.Mutex  // of the rest
	err             error
	setuid, skipped Paths
	gifts           []gift
}

// copyTree makes name in parent a copy of source. On an error what was made is
// left there.
func copyTree(ctx context.Context, source string, parent *os.File, name string, o CopyOptions, owners owners) (*tree, error) {
	from, err := os.OpenFile(source, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, sourceError("open", ".", errnoOf(err))
	}
	defer from.Close()
	to, err := makeRoot(parent, name)
	if err != nil {
		return nil, copyError("make", name, err)
	}
	defer to.Close()
	t := &tree{CopyOptions: o, ctx: ctx, from: int(from.Fd()), to: int(to.Fd()), owners: owners}
	t.links.first = map[inode]link{}
	runCrew(crewSize(o.Workers), t.enter(newDirectory(nil, "")))
	return t, t.err
}

// makeRoot lets nobody else in until the copy gets its mode, which is last: what
// is below may have any mode before.
func makeRoot(parent *os.File, name string) (*os.File, error) {
	if err := unix.Mkdirat(int(parent.Fd()), name, 0o700); err != nil {
		return nil, err
	}
	step.Done("copy-begun")
	return openBeneath(parent, name, unix.O_RDONLY|unix.O_DIRECTORY)
}

func (t *tree) copied() Copied {
	return Copied{Entries: t.entries.Load(), Bytes: t.bytes.Load(), Setuid: t.setuid, Skipped: t.skipped}
}

// fail ends the copy. The first error is what it ends with.
func (t *tree) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
		t.ended.Store(true)
	}
}

// stopped is asked before every entry and every chunk of a file.
func (t *tree) stopped() bool {
	if t.ended.Load() {
		return true
	}
	if err := t.ctx.Err(); err != nil {
		t.fail(err)
		return true
	}
	return false
}

// countEntry is for entries what countBytes is for their content.
func (t *tree) countEntry() error {
	n := t.entries.Add(1)
	if t.MaxFiles > 0 && n > t.MaxFiles {
		return fmt.Errorf("%w: %d entries up to here, and %d may be", ErrTooLarge, n, t.MaxFiles)
	}
	return nil
}

func (t *tree) countBytes(size int64) error {
	n := t.bytes.Add(size)
	if t.MaxSize > 0 && n > t.MaxSize {
		return fmt.Errorf("%w: %d bytes up to here, and %d may be", ErrTooLarge, n, t.MaxSize)
	}
	return nil
}

// openSource asks the kernel not to note the time: a source is never written.
// It takes the owner of a file to ask that (open(2), O_NOATIME).
func (t *tree) openSource(dir int, path string, flags uint64) (int, error) {
	if !t.lacks.noatime.Load() {
		fd, err := openAt(dir, path, flags|unix.O_NOATIME)
		if !errors.Is(err, unix.EPERM) {
			return fd, err
		}
		t.lacks.noatime.Store(true)
	}
	return openAt(dir, path, flags)
}

// unopened says what kept name in dir, or dir itself, closed. Mode and owner are
// what a reader of "permission denied" has to look up next.
func (t *tree) unopened(dir int, name, path string, cause error) error {
	var st unix.Stat_t
	switch {
	case errors.Is(cause, fs.ErrPermission):
		if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			cause = withOwner(cause, st.Mode, st.Uid, st.Gid)
		}
	default:
		cause = becameOther(cause)
	}
	return sourceError("open", path, cause)
}

// becameOther explains errors by which an entry that was listed as one thing
// shows that it is another by now, or nothing.
func becameOther(err error) error {
	if isOneOf(err, unix.ENOENT, unix.ELOOP, unix.ENOTDIR, unix.ENXIO, unix.EINVAL) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return err
}
