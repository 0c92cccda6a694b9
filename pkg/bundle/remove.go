package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// RemovingPrefix begins the name that Remove gives to what it is about to
// remove, in the same directory. One that is found at start was left by a
// crash, or could not be removed whole: Remove what the rest of the name says,
// or the name itself.
const RemovingPrefix = ".removing-"

// RemoveOptions says how a removal gets at what does not belong to the caller.
type RemoveOptions struct {
	// IDs are those of the container that made the tree. What belongs to its
	// subordinate ids is removed in a user namespace with this mapping.
	IDs     IDMap
	Helper  []string // as in CopyOptions; empty: files of other ids stay and are named
	Workers int      // 0: as many as there are processors to use, 8 at most
}

// Remove removes dir/name and all that is below it, whatever the modes: a
// directory that keeps its owner out is opened up first. A program that was
// root in a container made this tree, and may still change it, so nothing in it
// is trusted. Every step is relative to an open directory, no symbolic link is
// followed, no mount is entered, no mode is changed but that of a directory
// which is open already, and no depth or number of entries is too much for a
// bounded number of descriptors and a bounded memory.
//
// The name is free at once: what is removed is renamed to RemovingPrefix and
// name first, where a later call for name finds what this one may leave. (Where
// that cannot be, as for a mount point, it is removed in its place.) A name that
// has the prefix is removed in its place, too.
//
// An error does not end it: it goes on with the rest and returns all errors
// joined, each an *fs.PathError that names what is left by the path that it had
// below dir/name. The first 32 are named and the others counted. What is absent
// is no error, so Remove may be interrupted anywhere, and called again until it
// returns nil. When ctx ends it stops and returns that as well.
func Remove(ctx context.Context, dir, name string, o RemoveOptions) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("remove %q in %s: not a name", name, dir)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("remove %s: %w", filepath.Join(dir, name), err)
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	return removal{ctx, fd, dir, name, o}.run()
}

// A removal is one call of Remove.
type removal struct {
	ctx       context.Context
	fd        int // of dir
	dir, name string
	o         RemoveOptions
}

func (r removal) run() error {
	if strings.HasPrefix(r.name, RemovingPrefix) {
		return r.remove(r.name)
	}
	aside := asideName(r.name)
	earlier, err := error(nil), r.rename(aside)
	if errors.Is(err, fs.ErrExist) {
		if earlier = r.remove(aside); earlier == nil {
			err = r.rename(aside)
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) { // absent: what an earlier call left may be there
		return errors.Join(earlier, r.remove(aside))
	}
	// A mount point (EBUSY), a directory that takes no names (EROFS, EACCES),
	// an earlier one that does not go: in its place as much goes as can go.
	return errors.Join(earlier, r.remove(r.name))
}

func (r removal) rename(aside string) error {
	err := unix.Renameat2(r.fd, r.name, r.fd, aside, unix.RENAME_NOREPLACE)
	step.Done("tree-set-aside")
	return err
}

// remove removes what is named now in the directory.
func (r removal) remove(now string) error {
	err := r.removeHere(now)
	if errors.Is(err, fs.ErrPermission) && r.ctx.Err() == nil && r.o.furtherIDs() {
		err = r.removeInNamespace(now, err)
	}
	if err != nil && now != r.name {
		err = fmt.Errorf("left in %s: %w", filepath.Join(r.dir, now), err)
	}
	return err
}

// removeHere removes as the user that this process is.
func (r removal) removeHere(now string) error {
	workers := crewSize(r.o.Workers)
	e := &eraser{ctx: r.ctx, workers: workers, levels: max(maxOpenDirs/workers, minLevels)}
	e.erase(r.fd, now, filepath.Join(r.dir, r.name))
	if e.crowded { // for want of descriptors: with as few as can be
		e = &eraser{ctx: r.ctx, workers: 1, levels: minLevels}
		e.erase(r.fd, now, filepath.Join(r.dir, r.name))
	}
	return errors.Join(e.err(), r.ctx.Err())
}

// asideName is the same for each call, so that a later one finds it. A name for
// which that is too long is cut, and told from others by its digest.
func asideName(name string) string {
	if aside := RemovingPrefix + name; len(aside) <= unix.NAME_MAX {
		return aside
	}
	digest := sha256.Sum256([]byte(name))
	end := "-" + hex.EncodeToString(digest[:8])
	return RemovingPrefix + name[:unix.NAME_MAX-len(RemovingPrefix)-len(end)] + end
}
