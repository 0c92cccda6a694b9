package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// StagingPrefix begins the name of every directory that Copy has not finished.
// One that is found at start was left by a crash: Remove it.
const StagingPrefix = ".staging-"

// CopyOptions says who owns a copy, what may be in it and how unreadable
// entries are read.
type CopyOptions struct {
	// IDs are the container's. With a single one everything in the copy
	// belongs to it, which needs root unless it is the caller's own.
	IDs IDMap

	// SourceIDs are those by which the owners in source were written, such as
	// the mappings of a packaged bundle. Zero: there are none.
	SourceIDs IDMap

	// Helper is the argv prefix of a program that calls HelperMain. It is run
	// in a new user namespace, as its root, where the caller alone may not
	// read an entry of its own for the mode. Empty: such an entry is an error.
	Helper []string

	MaxSize, MaxFiles int64 // of the content in bytes, and of the entries; 0: no limit

	SkipSpecial bool // leave FIFOs, sockets and devices out, which are refused otherwise
	KeepSetuid  bool // keep set-user-ID bits, which are dropped otherwise
	Workers     int  // 0: as many as there are processors to use
}

// Copied is what a person should be told of a copy.
type Copied struct {
	Entries, Bytes  int64
	Setuid, Skipped Paths // set-user-ID bits that were dropped, special files that were left out
}

// Paths are a number of paths, of which few are named.
type Paths struct {
	Count int
	First []string // at most 8, sorted
}

// Copy makes dest a copy of the directory source: its directories, regular
// files, symbolic and hard links, with exact modes, times, holes and user.*
// extended attributes. Special files (FIFO, socket, device) are refused, and so
// is a mount below source. A file given away to an Owner loses its set-user-ID
// and set-group-ID bits: they mean nothing under no_new_privs in the container,
// but on the host they would lend that id to whoever finds the file.
//
// Nothing is written to source, no mode of it changed. dest must not exist
// (fs.ErrExist) and is complete when it does: it is made under a name with
// StagingPrefix beside it and renamed. On an error, and when ctx ends, what was
// made is removed before Copy returns. Errors name the path in source; those
// for an entry that nobody could read are fs.ErrPermission.
func Copy(ctx context.Context, source, dest string, o CopyOptions) (Copied, error) {
	if err := copyAside(ctx, source, filepath.Clean(dest), o); err != nil {
		return Copied{}, fmt.Errorf("copy %s: %w", source, err)
	}
	return Copied{}, nil
}

func copyAside(ctx context.Context, source, dest string, o CopyOptions) error {
	if _, err := os.Lstat(dest); err == nil {
		return &fs.PathError{Op: "make", Path: dest, Err: fs.ErrExist}
	}
	parent, name := filepath.Dir(dest), stagingName(filepath.Base(dest))
	staging := filepath.Join(parent, name)

	err := copyTree(ctx, source, staging, ownerOf(o.IDs))
	if unreadable(err) && len(o.Helper) > 0 {
		// Rare, and not worth a merge of two half trees: begin again
		// where all entries of the user can be read.
		if err = removeStaging(parent, name); err == nil {
			_, err = inNamespace[Copied](ctx, o.Helper, o.IDs, "copy", copyWork{source, staging})
		}
	}
	if err == nil {
		err = publish(ctx, staging, dest)
	}
	if err != nil {
		return errors.Join(err, removeStaging(parent, name))
	}
	return nil
}

// A copyWork is what a copy in a user namespace has to do.
type copyWork struct{ Source, Dest string }

func copyInside(ctx context.Context, w copyWork) (Copied, error) {
	return Copied{}, copyTree(ctx, w.Source, w.Dest, nil)
}

// publish renames staging to dest, never over something: rename(2) alone would
// replace an empty directory that another made meanwhile.
func publish(ctx context.Context, staging, dest string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, staging, unix.AT_FDCWD, dest, unix.RENAME_NOREPLACE)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: staging, New: dest, Err: err}
	}
	return nil
}

// removeStaging goes on when the copy's context has ended: that is when it is
// needed most.
func removeStaging(parent, name string) error {
	return Remove(context.Background(), parent, name, RemoveOptions{})
}

// stagingName keeps base readable in it, for whoever finds a leftover, and the
// whole within the 255 bytes of a file name.
func stagingName(base string) string {
	return StagingPrefix + base[:min(len(base), 200)] + "-" + random()
}

// Owner is a pair of ids of the host.
type owner struct{ UID, GID int }

// ownerOf is nil where the caller owns what it makes.
func ownerOf(ids IDMap) *owner {
	uid, gid, ok := ids.Root()
	if !ok || uid == os.Geteuid() && gid == os.Getegid() {
		return nil
	}
	return &owner{uid, gid}
}
