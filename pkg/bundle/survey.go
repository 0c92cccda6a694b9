package bundle

import (
	"context"
	"errors"
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

	Entries, Bytes int64 // Bytes of regular files, a hard-linked one once
	Read           int64 // of Bytes, how many were really read

	Owners          []Owner // every one that differs, sorted
	Special, Setuid Paths   // FIFOs, sockets and devices; files with a set-user-ID bit
}

// An Owner is a pair of ids of the host that entries of a tree belong to.
type Owner struct {
	UID, GID uint32
	Path     string // the first of them

	// Closed is the first of them that others may not use: a file that they
	// cannot read, a directory that they cannot read and search. Empty: none.
	Closed string
}

// Examine looks at every entry of the directory source.
func Examine(_ context.Context, _ string, _ SurveyOptions) (*Survey, error) {
	return nil, errors.ErrUnsupported
}
