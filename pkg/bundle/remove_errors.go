package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// maxErrors bounds an error's text; the others are counted.
const maxErrors = 32

var errChanging = errors.New("changes while it is removed")

// failures are what a removal leaves.
type failures struct {
	mu      sync.Mutex
	named   []*fs.PathError
	more    int  // beyond maxErrors
	denied  bool // one of those was for want of a right
	crowded bool // one of all was for want of descriptors
}

// fail notes that the entry name of b stays, or b itself for "".
func (e *eraser) fail(op string, b *branch, name string, err error) {
	b.failed.Store(true)
	f := &e.failures
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crowded = f.crowded || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
	if len(f.named) == maxErrors {
		f.more++
		f.denied = f.denied || errors.Is(err, fs.ErrPermission)
		return
	}
	f.named = append(f.named, &fs.PathError{Op: op, Path: b.path(name), Err: explain(b.fd, name, err)})
}

// err joins what failed, in the order of the paths: workers come to them in any.
func (f *failures) err() error {
	slices.SortFunc(f.named, func(x, y *fs.PathError) int { return strings.Compare(x.Path, y.Path) })
	var errs []error
	for _, err := range f.named {
		errs = append(errs, err)
	}
	if f.more > 0 {
		errs = append(errs, &moreErrors{f.more, f.denied})
	}
	return errors.Join(errs...)
}

// path is that of name in b, as the user knows it, or of b itself for "". What
// is longer than a path can be is cut.
func (b *branch) path(name string) string {
	names := []string{}
	if name != "" {
		names = append(names, name)
	}
	for b.known == "" {
		names = append(names, b.name)
		b = b.parent
	}
	var path strings.Builder
	path.WriteString(b.known)
	for i := len(names) - 1; i >= 0 && path.Len() < unix.PathMax; i-- {
		path.WriteByte('/')
		path.WriteString(names[i])
	}
	return path.String()
}

// A moreErrors stands for those that are not named.
type moreErrors struct {
	count  int
	denied bool
}

func (e *moreErrors) Error() string { return fmt.Sprintf("and %d errors more", e.count) }

func (e *moreErrors) Unwrap() error {
	if e.denied {
		return fs.ErrPermission
	}
	return nil
}
