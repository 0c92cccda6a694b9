package bundle

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// maxOpenDirs bounds the descriptors that a removal holds, about. What a
	// container nested deeper than its share of them is moved up (see moveUp).
	maxOpenDirs = 128

	// minLevels are the top directory, one in it, and one of which the
	// subdirectories are moved up: with less nothing would come nearer.
	minLevels = 3

	// maxPasses bounds how often a directory is gone through for what a process
	// adds meanwhile. One that adds faster than we remove is stopped by nobody
	// but its end, or ours: the context's.
	maxPasses = 16

	// maxWaiting bounds the subdirectories that are known of one directory at a
	// time, about: the rest is listed when these are gone.
	maxWaiting = 256

	// maxListed bounds the entries that are known of one directory at a time,
	// about, and minSorted is how many make it worth the while to sort them.
	maxListed, minSorted = 32 << 10, 1000

	// soloTasks are done before others are woken to help: an overlay that
	// nobody wrote to has three directories.
	soloTasks = 8
)

// An eraser is one tree's removal in progress.
//
// Its crew takes the newest task first, and a directory's tasks are the rest of
// itself and, above that, each of its subdirectories found so far. So what waits
// is bounded by the depth, and so are the open directories: each is open until
// all below it is gone.
type eraser struct {
	ctx     context.Context
	workers int
	levels  int // of open directories
	top     *branch
	upper   upper
	failures
}

// A branch is a directory of the tree. Its path is put together only for an
// error: at a depth of 100,000 it is long.
type branch struct {
	parent *branch
	name   string // in parent
	known  string // its path, where that is not parent's and the name
	level  int
	fd     int

	tasks  atomic.Int32 // those for it, and those for its subdirectories
	failed atomic.Bool  // something in it stays
	wide   atomic.Bool  // its owner's rights were looked at
	passes int
	away   bool // it was moved up
}

// erase removes the entry now of dir, known to the user by its path.
func (e *eraser) erase(dir int, now, known string) {
	root := &branch{fd: dir, known: filepath.Dir(known)}
	root.tasks.Store(2) // never done: it is the caller's
	root.wide.Store(true)
	e.upper = newUpper()
	e.top = &branch{parent: root, name: now, known: known, level: 1}
	e.run(func(w *worker) { e.enter(w, e.top) })
}

// run does the first tasks alone.
func (e *eraser) run(first task) {
	c := &crew{size: 1, tasks: []task{first}}
	w := &worker{crew: c}
	for range soloTasks {
		t := c.next()
		if t == nil {
			return
		}
		t(w)
	}
	if len(c.tasks) > 0 {
		runCrew(e.workers, func(w *worker) {
			for _, t := range c.tasks {
				w.crew.add(t)
			}
		})
	}
}

// enter removes b, or opens it and begins to empty it.
func (e *eraser) enter(w *worker, b *branch) {
	if e.ctx.Err() == nil && e.open(b) {
		b.tasks.Store(1)
		e.empty(w, b)
		return
	}
	e.leave(w, b.parent)
}

// empty removes what is in b but directories, which become tasks.
func (e *eraser) empty(w *worker, b *branch) {
	names, more := e.unlinkFiles(w, b)
	if len(names) > 0 && b.level >= e.levels {
		e.moveUp(b)
		names, more = nil, false
	}
	if more {
		b.tasks.Add(1)
		w.crew.add(func(w *worker) { e.empty(w, b) })
	}
	b.tasks.Add(int32(len(names)))
	for _, name := range names {
		sub := &branch{parent: b, name: name, level: b.level + 1}
		if b == e.top {
			sub.known = e.upper.cameFrom(name)
		}
		w.crew.add(func(w *worker) { e.enter(w, sub) })
	}
	e.leave(w, b)
}

// unlinkFiles removes what is no directory and returns the names of what is
// one. more: it has not come to the end.
func (e *eraser) unlinkFiles(w *worker, b *branch) (dirs []string, more bool) {
	var entries []entry
	for len(dirs) < maxWaiting {
		entries = e.list(w, b, entries[:0])
		if len(entries) == 0 {
			return dirs, false
		}
		if dirs = append(dirs, e.unlinkAll(b, entries)...); e.ctx.Err() != nil {
			return nil, false
		}
	}
	return dirs, true
}

// unlinkAll cuts many entries into a part for each worker: unlink(2) holds the
// lock of the directory for a name, but not for the inode that goes after it.
func (e *eraser) unlinkAll(b *branch, entries []entry) (dirs []string) {
	if len(entries) < minSorted || e.workers < 2 {
		return e.unlinkEach(b, entries)
	}
	parts := make([][]string, e.workers)
	var group sync.WaitGroup
	for i, part := range slices.Collect(slices.Chunk(entries, (len(entries)+e.workers-1)/e.workers)) {
		group.Go(func() { parts[i] = e.unlinkEach(b, part) })
	}
	group.Wait()
	return slices.Concat(parts...)
}

// unlinkEach returns the names that are directories.
func (e *eraser) unlinkEach(b *branch, entries []entry) (dirs []string) {
	for _, entry := range entries {
		if e.ctx.Err() != nil {
			return nil
		}
		if b == e.top && e.upper.skips(entry.name) {
			continue
		}
		if !e.unlink(b, entry.name, entry.kind) {
			dirs = append(dirs, entry.name)
		}
	}
	return dirs
}

// list returns some next entries of b, or none at the end. Many are sorted by
// inode: ext4 lists a directory by the hashes of the names, and would go to and
// fro between the blocks in which it keeps inodes.
func (e *eraser) list(w *worker, b *branch, entries []entry) []entry {
	for len(entries) < maxListed {
		known := len(entries)
		var err error
		entries, err = list(b.fd, w.buffer(listSize), entries)
		if err != nil {
			e.fail("list", b, "", err)
		}
		if len(entries) == known {
			break
		}
	}
	if len(entries) > minSorted {
		slices.SortFunc(entries, func(x, y entry) int { return cmp.Compare(x.ino, y.ino) })
	}
	return entries
}

// leave ends a task for b. With the last one its directory goes, which ends a
// task for its parent.
func (e *eraser) leave(w *worker, b *branch) {
	for b.tasks.Add(-1) == 0 {
		if e.again(b) {
			b.tasks.Store(1)
			w.crew.add(func(w *worker) { e.empty(w, b) })
			return
		}
		unix.Close(b.fd)
		b = b.parent
	}
}

// again removes the directory b, or tells that it has to be emptied once more:
// somebody adds entries, or the file system lost its place in a directory that
// shrank, or what lay too deep was moved up into it.
func (e *eraser) again(b *branch) bool {
	switch {
	case b.away:
		return false
	case e.ctx.Err() != nil:
		b.parent.failed.Store(true)
		return false
	case b == e.top && e.upper.next():
	case b.failed.Load():
		b.parent.failed.Store(true)
		return false
	case e.rmdir(b):
		return false
	}
	_, err := unix.Seek(b.fd, 0, unix.SEEK_SET)
	if err != nil {
		e.fail("list", b, "", err)
	}
	return err == nil
}
