package bundle

import (
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// cutAbove is the fewest names that are worth a task of their own.
	cutAbove = 32

	// maxShelved bounds the descriptors that half read listings hold.
	maxShelved = 64
)

// A directory is one that is being copied. It gets its attributes when all that
// is in it is done: with its final mode it may let nobody in, and each new entry
// would change its time.
type directory struct {
	parent  *directory // nil: the root
	name    string
	pending atomic.Int32 // its own entries count one, each directory in it another
	attributes
}

func newDirectory(parent *directory, name string) *directory {
	d := &directory{parent: parent, name: name}
	d.pending.Store(1)
	return d
}

func (d *directory) path() string {
	if d.parent == nil {
		return "."
	}
	var names []string
	for ; d.parent != nil; d = d.parent {
		names = append(names, d.name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// join is the path of name in d.
func (d *directory) join(name string) string {
	if d.parent == nil {
		return name
	}
	return d.path() + "/" + name
}

// A place is a directory that is open on both sides.
type place struct {
	*directory
	from, to int
	users    atomic.Int32 // tasks that work there
}

// enter is the task that copies d.
func (t *tree) enter(d *directory) task {
	return func(w *worker) {
		if t.stopped() {
			return
		}
		p, err := t.open(d)
		if err != nil {
			t.fail(err)
			return
		}
		p.users.Store(1)
		t.copyEntries(w, p)
		t.leave(p)
	}
}

func (t *tree) open(d *directory) (*place, error) {
	path := d.path()
	from, err := t.openSource(t.from, path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, t.unopened(t.from, path, path, err)
	}
	to, err := openAt(t.to, path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		_ = unix.Close(from) // was only read
		return nil, copyError("open copy of", path, err)
	}
	p := &place{directory: d, from: from, to: to}
	if err := t.begin(p, path); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (t *tree) begin(p *place, path string) error {
	var st unix.Stat_t
	err := unix.Fstat(p.from, &st)
	if err == nil {
		p.attributes, err = t.attributesOf(&st)
	}
	if err == nil {
		err = copyXattrs(p.to, p.from)
	}
	if err != nil {
		return copyError("copy", path, err)
	}
	return nil
}

func (p *place) close() {
	_ = unix.Close(p.from) // were only read
	_ = unix.Close(p.to)
}

// share has another worker do something there as well.
func (t *tree) share(w *worker, p *place, do task) {
	p.users.Add(1)
	w.crew.add(func(w *worker) {
		do(w)
		t.leave(p)
	})
}

// leave ends what one task did there.
func (t *tree) leave(p *place) {
	if p.users.Add(-1) > 0 {
		return
	}
	defer p.close()
	if t.ended.Load() {
		return
	}
	if changed(p.from, &p.attributes) { // since before it was listed
		t.fail(copyError("copy", p.path(), ErrChanged))
		return
	}
	if p.pending.Add(-1) == 0 {
		t.finish(p)
	}
}

// finish gives a directory its attributes, while it is open, and then each one
// above of which this was the last.
func (t *tree) finish(p *place) {
	if err := settle(p.to, &p.attributes); err != nil {
		t.fail(copyError("copy", p.path(), err))
		return
	}
	t.remember(p.directory, "", &p.attributes)
	for d := p.parent; d != nil && d.pending.Add(-1) == 0 && !t.stopped(); d = d.parent {
		if err := t.reopenAndSettle(d); err != nil {
			t.fail(copyError("copy", d.path(), err))
			return
		}
		t.remember(d, "", &d.attributes)
	}
}

func (t *tree) reopenAndSettle(d *directory) error {
	fd, err := openAt(t.to, d.path(), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return settle(fd, &d.attributes)
}
