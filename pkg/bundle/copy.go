package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
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
	Workers     int  // 0: as many as there are processors to use, 8 at most
}

// Copied is what a person should be told of a copy.
type Copied struct {
	Entries, Bytes  int64
	Setuid, Skipped Paths // set-user-ID bits that were dropped, special files that were left out
}

// Copy makes dest a copy of the directory source: its directories, regular
// files, symbolic and hard links, with exact modes, times, holes and user.*
// extended attributes. Set-user-ID bits are dropped, and said in Copied, unless
// KeepSetuid: they mean nothing under no_new_privs in the container, but on the
// host they would lend an id to whoever finds the file. Special files (FIFO,
// socket, device) are refused, and so is a mount below source.
//
// With a single id everything in the copy belongs to it. With several the
// owners follow the mapping: the caller's own id is 0 in the container, an owner
// of SourceIDs or else of IDs is the one that it maps to there, and any other
// number is taken as one of the container, as in a tree that root installed.
//
// Nothing is written to source, no mode of it changed. dest must not exist
// (fs.ErrExist) and is complete when it does: it is made under a name with
// StagingPrefix beside it and renamed. On an error, and when ctx ends, what was
// made is removed before Copy returns. Errors name the path in source; those
// for an entry that nobody could read are fs.ErrPermission. Others to test for
// are ErrSpecialFile, ErrChanged, ErrTooLarge, ErrUnmapped and, for a mount,
// unix.EXDEV.
func Copy(ctx context.Context, source, dest string, o CopyOptions) (Copied, error) {
	copied, err := copyAside(ctx, source, filepath.Clean(dest), o)
	if err != nil {
		return Copied{}, fmt.Errorf("copy %s: %w", source, err)
	}
	return copied, nil
}

// copyAside syncs nothing: a copy is for one launch and no launch outlives the
// machine. A crash of this process loses nothing that was written, and leaves a
// name with StagingPrefix for the next sweep; a crash of the machine ends all
// launches, and the next sweep removes their copies unread, whole or not.
func copyAside(ctx context.Context, source, dest string, o CopyOptions) (Copied, error) {
	parent, err := os.OpenFile(filepath.Dir(dest), os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return Copied{}, err
	}
	defer parent.Close()
	name := filepath.Base(dest)
	if err := absent(parent, name); err != nil {
		return Copied{}, err
	}
	staging := stagingName(name)
	kept, err := newReserve(parent)
	if err != nil {
		return Copied{}, err
	}
	copied, err := copyToStaging(ctx, source, parent, staging, o)
	kept.release()
	if err == nil {
		err = publish(ctx, int(parent.Fd()), staging, name)
	}
	if err != nil {
		return Copied{}, errors.Join(err, removeStaging(parent.Name(), staging, o))
	}
	return copied, nil
}

// absent saves the work of a copy that could not be published.
func absent(parent *os.File, name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(int(parent.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil {
		err = fs.ErrExist
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &fs.PathError{Op: "make", Path: filepath.Join(parent.Name(), name), Err: err}
}

// copyToStaging works in a user namespace only where it has to: nothing in there
// can see an owner that is not mapped, such as the host's root, and to start a
// helper takes its time.
func copyToStaging(ctx context.Context, source string, parent *os.File, staging string, o CopyOptions) (Copied, error) {
	path := filepath.Join(parent.Name(), staging)
	t, err := copyTree(ctx, source, parent, staging, o, ownersOf(o, false))
	if err == nil {
		return t.copied(), t.giveAway(path)
	}
	if !unreadable(err) || len(o.Helper) == 0 {
		return Copied{}, err
	}
	// Rare, and not worth a merge of two half trees: begin again where all
	// entries of the user can be read.
	if err := removeStaging(parent.Name(), staging, o); err != nil {
		return Copied{}, err
	}
	return inNamespace[Copied](ctx, o.Helper, o.IDs, "copy", copyWork{source, path, o})
}

// A copyWork is what a copy in a user namespace has to do.
type copyWork struct {
	Source, Dest string
	Options      CopyOptions
}

func copyInside(ctx context.Context, w copyWork) (Copied, error) {
	parent, err := os.OpenFile(filepath.Dir(w.Dest), os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return Copied{}, err
	}
	defer parent.Close()
	t, err := copyTree(ctx, w.Source, parent, filepath.Base(w.Dest), w.Options, ownersOf(w.Options, true))
	if err != nil {
		return Copied{}, err
	}
	return t.copied(), nil
}

// publish renames staging in dir, never over something: rename(2) alone would replace
// an empty directory that another made meanwhile.
func publish(ctx context.Context, dir int, staging, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := unix.Renameat2(dir, staging, dir, name, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: staging, New: name, Err: err}
	}
	step.Done("tree-published")
	return nil
}

// removeStaging goes on when the copy's context has ended: that is when it is
// needed most.
func removeStaging(parent, name string, o CopyOptions) error {
	return Remove(context.Background(), parent, name, RemoveOptions{IDs: o.IDs, Helper: o.Helper, Workers: o.Workers})
}

// stagingName keeps base readable in it, for whoever finds a leftover, and the
// whole within the 255 bytes of a file name.
func stagingName(base string) string {
	return StagingPrefix + base[:min(len(base), 200)] + "-" + random()
}
