package bundle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Content says how much of a tree's files Examine reads.
type Content int

// The three ways to know what is in the files of a tree.
const (
	ContentChanged Content = iota // only what changed since SurveyOptions.Cache was written, as far as times tell
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
	Workers int      // 0: as many as there are processors to use, 8 at most
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
}

// An Owner is a pair of ids of the host that entries of a tree belong to.
type Owner struct {
	UID, GID uint32 // 65534 (nobody) also for what SurveyOptions.Helper had to read, and saw no id of
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
	s, err := examine(ctx, time.Now(), source, o)
	if err != nil {
		return nil, fmt.Errorf("examine %s: %w", source, err)
	}
	return s, nil
}

func examine(ctx context.Context, now time.Time, source string, o SurveyOptions) (*Survey, error) {
	var err error
	if source, err = filepath.Abs(source); err != nil {
		return nil, err
	}
	if o.Cache != "" {
		if o.Cache, err = filepath.Abs(o.Cache); err != nil {
			return nil, err
		}
	}
	s, err := examineHere(ctx, now, source, o)
	if unreadable(err) && len(o.Helper) > 0 {
		return examineInNamespace(ctx, now, source, o)
	}
	return s, err
}

// examineHere examines what this process may read. Both paths are absolute, for
// it may be another one than the caller's.
func examineHere(ctx context.Context, now time.Time, source string, o SurveyOptions) (*Survey, error) {
	root, err := os.OpenFile(source, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, sourceError("open", ".", errnoOf(err))
	}
	defer root.Close()
	x := newExamination(ctx, root, now, o)
	s, err := x.survey()
	if err == nil && x.total.newest > x.settled {
		err = sameAgain(ctx, root, now, s.State)
	}
	if err != nil {
		return nil, err
	}
	if err := x.cache.save(); err != nil {
		s.CacheError = err.Error()
	}
	return s, nil
}

// sameAgain is asked when something was changed so shortly before a walk began
// that it may have been changed while it went on. Only if everything is the same
// now, there was a moment, between the two walks, when all of it was so.
func sameAgain(ctx context.Context, root *os.File, now time.Time, state [32]byte) error {
	x := newExamination(ctx, root, now, SurveyOptions{Content: ContentNone})
	s, err := x.survey()
	if err == nil && s.State != state {
		return sourceError("examine", x.total.newestPath, ErrChanged)
	}
	return err
}
