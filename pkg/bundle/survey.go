package bundle

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Content says how much of a tree's files Examine reads.
type Content int

// The three ways to know what is in the files of a tree.
const (
	ContentChanged Content = iota // only what changed since SurveyOptions.Cache was written
	ContentAll                    // every file
	ContentNone                   // no file: there is no digest then
)

// SurveyOptions says how thoroughly a tree is examined.
type SurveyOptions struct {
	Content Content

	// Cache is the path of a file that keeps digests with the inode and the
	// times of what they were taken from. It is written aside and renamed; one
	// that is absent or damaged is as none. Empty: nothing is kept.
	Cache string

	IDs     IDMap    // as in CopyOptions
	Helper  []string // as in CopyOptions
	Workers int      // 0: as many as there are processors to use
}

// A Survey is what a packaged tree is, found out without touching it.
type Survey struct {
	// Digest is "sha256:" and 64 hexadecimal digits: a Merkle digest of names,
	// types, modes, contents and link targets; not of owners, times and
	// extended attributes. Empty with ContentNone.
	Digest string

	// State tells whether anything was touched: it is equal for two surveys
	// with the same paths, inodes, modes, owners, sizes and times.
	State [32]byte

	Entries, Bytes int64 // Entries below source; Bytes of regular files, a hard-linked one once
	Read           int64 // of Bytes, how many were really read

	Owners          []Owner // every one that differs, sorted
	Special, Setuid Paths   // FIFOs, sockets and devices; files with a set-user-ID bit

	CacheError string // why the cache could not be written: the next survey will take longer. Empty: it is up to date

	newest string // path of what was changed last
}

// An Owner is a pair of ids of the host that entries of a tree belong to.
type Owner struct {
	UID, GID uint32
	Path     string // the first of them

	// Closed is the first of them that others may not use: a file that they
	// cannot read, a directory that they cannot read and search. Empty: none.
	Closed string
}

// Examine looks at every entry of the directory source, and reads what is in it
// as o.Content says. Nothing is written to source.
//
// A survey is of one moment: all that it tells was so at the same time. If that
// cannot be known, because something was changed meanwhile, the error is
// ErrChanged. What is mounted below source is unix.EXDEV; what the caller may not
// read fs.ErrPermission, unless o.Helper can. Both name the path in source.
func Examine(ctx context.Context, source string, o SurveyOptions) (*Survey, error) {
	s, err := examine(ctx, source, o)
	if err != nil {
		return nil, fmt.Errorf("examine %s: %w", source, err)
	}
	return s, nil
}

func examine(ctx context.Context, source string, o SurveyOptions) (*Survey, error) {
	source, err := filepath.Abs(source)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenFile(source, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, sourceError("open", ".", errnoOf(err))
	}
	defer root.Close()
	s, settled, err := walkOnce(ctx, root, o)
	if err != nil || settled {
		return s, err
	}
	// Something was changed so shortly before the walk began that it may
	// have been changed while it went on: only if everything is the same
	// now, there was a moment, between the two walks, when all of it was so.
	again, _, err := walkOnce(ctx, root, SurveyOptions{Content: ContentNone, Workers: o.Workers})
	if err != nil {
		return nil, err
	}
	if again.State != s.State {
		return nil, sourceError("examine", again.newest, ErrChanged)
	}
	return s, nil
}

// racy is how long an entry must not have been changed for its ctime to be
// trusted. A file system takes its time from a clock that goes in steps, of 2 s
// with some: what is changed twice within one of them has the same times.
const racy = 2 * time.Second

// walkOnce examines a tree. settled is false if the latest change is so recent
// that it may have been made during the walk.
func walkOnce(ctx context.Context, root *os.File, o SurveyOptions) (s *Survey, settled bool, err error) {
	x := &examination{ctx: ctx, root: int(root.Fd()), content: o.Content, links: map[fileID]*linkedFile{}}
	// Before the first look: what looks older than this later, did not change
	// since.
	x.settled = time.Now().Add(-racy).UnixNano()
	d := &examinedDir{rel: "."}
	if d.seen, err = sightOpen(x.root); err != nil {
		return nil, false, sourceError("look at", ".", err)
	}
	if o.Content == ContentNone {
		o.Cache = ""
	}
	x.cache = openCache(o.Cache, root.Name(), d.seen.ino)
	d.cached = x.cache.dirs[d.seen.ino]
	if err := x.run(o.workers(), d); err != nil {
		return nil, false, err
	}
	return x.survey(d), x.total.newest < x.settled, nil
}

func (x *examination) survey(root *examinedDir) *Survey {
	s := &Survey{
		State:   sha256.Sum256(append(appendState(nil, "", root.seen.mode, &root.seen.stamp), root.state[:]...)),
		Entries: x.total.entries, Bytes: x.total.bytes, Read: x.total.read,
		Owners:  x.total.sortedOwners(),
		Special: x.total.special, Setuid: x.total.setuid,
		newest: x.total.newestPath,
	}
	if x.content != ContentNone {
		s.Digest = rootDigest(root.seen.mode, &root.content)
	}
	if err := x.cache.save(); err != nil {
		s.CacheError = err.Error()
	}
	return s
}

func (o SurveyOptions) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}
