package bundle

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// An examinedDir is a directory of which something is still to be done.
type examinedDir struct {
	parent  *examinedDir // nil: it is the root
	rel     string       // path below the root
	seen    sighting
	records []record // of its entries, sorted by name

	cached cachedDir
	known  atomic.Bool // everything in it is as it was when it was cached

	todo    atomic.Int32 // tasks in it and directories of it that are not finished
	content [sha256.Size]byte
	state   [sha256.Size]byte
}

// A record is what becomes known of an entry. Before the entry is looked at it
// holds what is known of it from the last time.
type record struct {
	name string
	stamp
	mode   uint32
	keep   bool // content is known for the stamp
	digest [sha256.Size]byte
	dir    *examinedDir // of a directory: its own
}

func (d *examinedDir) path(name string) string {
	switch {
	case d.rel == ".":
		return name
	case name == ".":
		return d.rel
	}
	return d.rel + "/" + name
}

// enter is the first task in a directory. When nothing was added, removed or
// renamed since its names were cached, they are taken from there, and it needs
// no more than a descriptor to look relative to.
func (x *examination) enter(d *examinedDir) task {
	return func(w *worker) {
		known, ok := d.cached.appendRecords(x.takeRecords())
		if ok && d.cached.complete && d.cached.stamp == d.seen.stamp && x.Content != ContentAll {
			d.known.Store(true)
			d.records = known
			x.visit(d, unix.O_PATH, func(fd int) error { return x.lookAll(w, fd, d, known) })
			return
		}
		x.visit(d, unix.O_RDONLY|unix.O_NOATIME, func(fd int) error {
			names, err := x.names(w, fd)
			if err != nil {
				return closedError("list", d.rel, &d.seen, becameOther(err))
			}
			d.records = recall(x.takeRecords(), names, known)
			x.giveRecords(known)
			return x.lookAll(w, fd, d, d.records)
		})
	}
}

// visit opens d, does something in it, and wants it to be then what it was when
// it was found. What another directory in its place made of that is dropped.
func (x *examination) visit(d *examinedDir, flags uint64, do func(fd int) error) {
	if x.over() != nil {
		return
	}
	fd, err := openQuietly(int(x.root.Fd()), d.rel, flags|unix.O_DIRECTORY)
	if err != nil {
		x.fail(closedError("open", d.rel, &d.seen, becameOther(err)))
		return
	}
	defer unix.Close(fd)
	if err := do(fd); err != nil {
		x.fail(err)
		return
	}
	if now, err := sightOpen(fd); err != nil || now.stamp != d.seen.stamp {
		x.fail(sourceError("list", d.rel, cmp.Or(err, ErrChanged)))
		return
	}
	x.finish(d)
}

// recall makes records for names, of what is known of them. Both are sorted.
func recall(records []record, names []entry, known []record) []record {
	records = slices.Grow(records, len(names))
	for _, e := range names {
		for len(known) > 0 && known[0].name < e.name {
			known = known[1:]
		}
		if len(known) > 0 && known[0].name == e.name {
			records = append(records, known[0])
		} else {
			records = append(records, record{name: e.name})
		}
	}
	return records
}

func (x *examination) names(w *worker, fd int) (names []entry, err error) {
	for {
		before := len(names)
		if names, err = list(fd, w.buffer(listSize), names); err != nil || len(names) == before {
			slices.SortFunc(names, func(a, b entry) int { return strings.Compare(a.name, b.name) })
			return names, err
		}
		if err := x.over(); err != nil {
			return nil, err
		}
	}
}

// partSize is how many entries are worth a task of their own when there is a
// worker without one, if they are only looked at.
const partSize = 64

// lookAll sees to some of the entries of d, which is open as fd.
func (x *examination) lookAll(w *worker, fd int, d *examinedDir, records []record) error {
	t := tally{newest: x.settled}
	for i := 0; i < len(records); i++ {
		if err := x.over(); err != nil {
			return err
		}
		read := t.read
		if err := x.entry(w, fd, d, &records[i], &t); err != nil {
			return err
		}
		if rest := len(records) - i - 1; w.crew.hungry() && (rest >= 2*partSize || rest > 0 && t.read > read) {
			cut := len(records) - (rest+1)/2
			x.part(w, d, records[cut:])
			records = records[:cut]
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.total.merge(&t)
	return nil
}

func (x *examination) part(w *worker, d *examinedDir, records []record) {
	d.todo.Add(1)
	w.crew.add(func(w *worker) {
		x.visit(d, unix.O_PATH, func(fd int) error { return x.lookAll(w, fd, d, records) })
	})
}

func (x *examination) entry(w *worker, fd int, d *examinedDir, r *record, t *tally) error {
	s, err := x.look(func() (sighting, error) { return sight(fd, r.name) })
	switch {
	case errors.Is(err, unix.EACCES): // what is closed is the directory
		return closedError("search", d.rel, &d.seen, err)
	case err != nil:
		return sourceError("look at", d.path(r.name), becameOther(err))
	}
	t.count(d, r.name, &s)
	known := r.keep && r.stamp == s.stamp && x.Content != ContentAll
	r.stamp, r.mode, r.keep = s.stamp, s.mode, known
	if s.kind() != unix.S_IFDIR {
		return x.learn(w, fd, d, r, &s, t)
	}
	r.dir = &examinedDir{parent: d, rel: d.path(r.name), seen: s, cached: x.cache.dirs[s.ino]}
	r.dir.todo.Store(1)
	d.todo.Add(1)
	w.crew.add(x.enter(r.dir))
	return nil
}

// finish is called at the end of each task in d. The last one finds all that d
// holds looked at, and may be the last one that its parent waited for.
func (x *examination) finish(d *examinedDir) {
	for ; d != nil && d.todo.Add(-1) == 0; d = d.parent {
		d.sum(x.Content)
		x.cache.keep(d, x.settled)
		x.giveRecords(d.records)
		d.records = nil
	}
}

// sum makes of what is known of the entries of d what is known of d.
func (d *examinedDir) sum(how Content) {
	content, state := sha256.New(), sha256.New()
	var buf []byte
	for i := range d.records {
		r := &d.records[i]
		buf = appendState(buf[:0], r.name, r.mode, &r.stamp)
		if r.dir != nil {
			buf = append(buf, r.dir.state[:]...)
			r.digest = r.dir.content
		}
		state.Write(buf)
		if how != ContentNone {
			buf = appendDescription(buf[:0], r.name, r.mode, &r.digest)
			content.Write(buf)
		}
	}
	content.Sum(d.content[:0])
	state.Sum(d.state[:0])
}
