package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

var (
	// ErrSpecialFile: a FIFO, socket or device is in the source of a copy.
	ErrSpecialFile = errors.New("special files are not copied")

	// ErrChanged: the source of a copy or survey changed while it was read.
	ErrChanged = errors.New("changed while it was read")

	// ErrTooLarge: a source has more entries or bytes than were allowed.
	ErrTooLarge = errors.New("larger than allowed")

	// ErrUnmapped: an owner in the source has no id in the container.
	ErrUnmapped = errors.New("its owner has no id in the container")

	// ErrNoRange: the user has no subordinate ids, or may not use them.
	ErrNoRange = errors.New("no subordinate ids")

	// ErrRefused: a packaged config.json asks for what a package may not
	// have. The error is a *Refusal, and its text begins with the place in
	// the JSON.
	ErrRefused = errors.New("refused")
)

// A Refusal is ErrRefused, with what somebody would have to know to mend it.
type Refusal struct {
	Place string // in the JSON: members and indices, such as mounts[0].source
	Why   string

	Weaker bool     // it would isolate the container less, and is left out with Plan.Override
	Asked  []string // the capabilities, or paths to unmask, that would have to be in Plan.Given; nil: none would do
}

func (r *Refusal) Error() string { return r.Place + ": " + ErrRefused.Error() + ": " + r.Why }

func (r *Refusal) Unwrap() error { return ErrRefused }

// A readError is about the source and not about the copy of it: only those are
// worth another try in a user namespace.
type readError struct{ *fs.PathError }

func (e *readError) Unwrap() error { return e.PathError }

func sourceError(op, path string, err error) error {
	return &readError{&fs.PathError{Op: op, Path: path, Err: err}}
}

func copyError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// unreadable reports whether err is a permission that reading the source lacked.
func unreadable(err error) bool {
	var read *readError
	return errors.As(err, &read) && errors.Is(err, fs.ErrPermission)
}

// withOwner adds to "permission denied" what its reader has to look up next.
func withOwner(cause error, mode, uid, gid uint32) error {
	unmapped := ""
	if uid == overflowID || gid == overflowID {
		unmapped = ", or one that the user namespace does not know"
	}
	return fmt.Errorf("%w (mode %04o, owner %d:%d%s)", cause, mode&0o7777, uid, gid, unmapped)
}

// errnoOf strips the path that the os package adds: it is the descriptor's,
// while ours is the one in the tree.
func errnoOf(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func isOneOf(err error, errnos ...unix.Errno) bool {
	var errno unix.Errno
	return errors.As(err, &errno) && slices.Contains(errnos, errno)
}

func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return "FIFO"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFBLK, unix.S_IFCHR:
		return "device"
	}
	return "unknown kind of file"
}
