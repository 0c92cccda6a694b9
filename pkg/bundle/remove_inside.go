package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// furtherIDs reports whether a user namespace gives rights that the caller
// lacks. Root lacks none.
func (o RemoveOptions) furtherIDs() bool {
	return len(o.Helper) > 0 && len(o.IDs.UIDs) > 0 && !o.IDs.Single() && os.Geteuid() != 0
}

// An insideRemoval is what the helper is asked for.
type insideRemoval struct {
	Dir, Now, Name string
	Workers        int
}

// An insideRemoved is its answer: what it could not do is in the error.
type insideRemoved struct{ Tried bool }

// removeInNamespace goes once more through what is left, as root over all ids
// of the container. What that leaves is all that is left, so its errors take the
// place of the earlier ones, unless it did not come to try.
func (r removal) removeInNamespace(now string, earlier error) error {
	dir, err := filepath.Abs(r.dir)
	if err != nil {
		return errors.Join(earlier, err)
	}
	answer, err := inNamespace[insideRemoved](r.ctx, r.o.Helper, r.o.IDs, "remove", insideRemoval{dir, now, r.name, r.o.Workers})
	if !answer.Tried {
		return errors.Join(earlier, err)
	}
	return err
}

func removeInside(ctx context.Context, o insideRemoval) (insideRemoved, error) {
	fd, err := unix.Open(o.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return insideRemoved{}, &os.PathError{Op: "open", Path: o.Dir, Err: err}
	}
	defer unix.Close(fd)
	r := removal{ctx, fd, o.Dir, o.Name, RemoveOptions{Workers: o.Workers}}
	return insideRemoved{true}, r.removeHere(o.Now)
}
