package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxOpenLevels bounds the descriptors that a removal holds. What a
	// container nested deeper is moved up first (see moveUp).
	maxOpenLevels = 64

	// maxPasses bounds the race with a process that makes entries while we
	// remove them.
	maxPasses = 16

	// maxErrors bounds an error's text; the others are counted.
	maxErrors = 32
)

// RemoveOptions says how a removal gets at what does not belong to the caller.
type RemoveOptions struct {
	// IDs are those of the container that made the tree. What belongs to its
	// subordinate ids is removed in a user namespace with this mapping.
	IDs     IDMap
	Helper  []string // as in CopyOptions; empty: files of other ids stay and are named
	Workers int      // 0: as many as there are processors to use
}

// Remove removes dir/name and all that is below it, whatever the modes: a
// directory that keeps its owner out is opened up first. A program that was
// root in a container made this tree, so nothing in it is trusted. Every step
// is relative to an open directory, no symbolic link is followed, no mount is
// entered, no mode is changed but that of a directory which is open already,
// and no depth or number of entries is too much.
//
// An error does not end it: it goes on with the rest and returns all errors
// joined, each an *fs.PathError that names what is left. An entry that is
// absent is no error, so Remove may be called again until it returns nil. When
// ctx ends it stops and returns that as well.
func Remove(ctx context.Context, dir, name string, o RemoveOptions) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("remove %q in %s: not a name", name, dir)
	}
	parent, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", filepath.Join(dir, name), err)
	}
	defer parent.Close()
	e := &eraser{ctx: ctx}
	e.removeTop(parent, &node{name: filepath.Join(dir, name)}, name)
	return e.result()
}

// An eraser is one removal in progress.
type eraser struct {
	ctx   context.Context
	top   *os.File // the directory that is removed, once it is open
	moved []*node  // what was moved up into top
	errs  []error
	more  int // errors beyond maxErrors
}

// A node is the place of an entry in the tree. The path is put together only
// for an error: at a depth of 100,000 it is long.
type node struct {
	parent *node
	name   string
	now    string // its name in top, once it was moved there
}

func (n *node) path() string {
	var names []string
	for ; n != nil; n = n.parent {
		names = append(names, n.name)
	}
	var path strings.Builder
	for i := len(names) - 1; i >= 0 && path.Len() < unix.PathMax; i-- {
		path.WriteString(names[i])
		if i > 0 {
			path.WriteByte('/')
		}
	}
	return path.String()
}

func (e *eraser) fail(op string, n *node, err error) {
	if len(e.errs) == maxErrors {
		e.more++
		return
	}
	e.errs = append(e.errs, &fs.PathError{Op: op, Path: n.path(), Err: err})
}

func (e *eraser) failures() int { return len(e.errs) + e.more }

func (e *eraser) result() error {
	errs := e.errs
	if e.more > 0 {
		errs = append(errs, fmt.Errorf("and %d errors more", e.more))
	}
	if err := e.ctx.Err(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// removeTop removes the tree n, named name in parent.
func (e *eraser) removeTop(parent *os.File, n *node, name string) {
	dir, done := e.unlinkOrOpen(parent, n, name)
	if done {
		return
	}
	defer dir.Close()
	e.top = dir
	e.empty(dir, n, 1)
	for len(e.moved) > 0 && e.ctx.Err() == nil {
		last := len(e.moved) - 1
		deep := e.moved[last]
		e.moved = e.moved[:last]
		e.remove(dir, deep, deep.now, 1)
	}
	if e.failures() == 0 && e.ctx.Err() == nil {
		e.rmdir(parent, n, name)
	}
}

// remove removes the entry name of parent and what is below it.
func (e *eraser) remove(parent *os.File, n *node, name string, level int) {
	dir, done := e.unlinkOrOpen(parent, n, name)
	if done {
		return
	}
	defer dir.Close()
	if level >= maxOpenLevels {
		e.moveUp(parent, n, name)
		return
	}
	before := e.failures()
	e.empty(dir, n, level+1)
	if e.failures() == before && e.ctx.Err() == nil {
		e.rmdir(parent, n, name) // else it holds what was named already
	}
}

// moveUp renames a directory that lies too deep to the top, to be removed from
// there. It is open to us by now: a rename that changes a directory's parent
// writes into the directory, too.
func (e *eraser) moveUp(parent *os.File, n *node, name string) {
	n.now = StagingPrefix + random()
	err := unix.Renameat2(int(parent.Fd()), name, int(e.top.Fd()), n.now, unix.RENAME_NOREPLACE)
	if err != nil {
		e.fail("remove", n, err)
		return
	}
	e.moved = append(e.moved, n)
}

// empty removes what is in dir. One pass is enough unless somebody adds entries
// meanwhile, or the file system loses its place in a directory that shrinks.
func (e *eraser) empty(dir *os.File, n *node, level int) {
	for range maxPasses {
		removed, left := e.pass(dir, n, level)
		if removed == 0 || left > 0 || e.ctx.Err() != nil {
			return
		}
		if _, err := dir.Seek(0, io.SeekStart); err != nil {
			e.fail("list", n, err)
			return
		}
	}
}

// pass goes once through dir. left counts what could not be removed: with that
// another pass would only repeat the errors.
func (e *eraser) pass(dir *os.File, n *node, level int) (removed, left int) {
	before := e.failures()
	for e.ctx.Err() == nil {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			if e.ctx.Err() == nil {
				e.remove(dir, &node{parent: n, name: name}, name, level)
				removed++
			}
		}
		if len(names) == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				e.fail("list", n, errnoOf(err))
			}
			break
		}
	}
	return removed, e.failures() - before
}
