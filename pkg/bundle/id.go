package bundle

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewayd/gatewayd/internal/step"
)

// randomLength is in base32 characters of 5 bits each: 50 bits, so that two
// launches with one number (after the state of the numbers was lost) do not
// meet, and the directory of a launch cannot be guessed where only its parent's
// search bit is open.
const randomLength = 10

// NewID returns a new id "<gateway>-<launch>-<random>" of a launch. It holds no
// time of day, so a clock that is set back makes no id come twice. That an id
// is new is not known but by MakeDir.
func NewID(gateway string, launch int) string {
	return fmt.Sprintf("%s-%d-%s", gateway, launch, random())
}

func random() string { return strings.ToLower(rand.Text()[:randomLength]) }

// MakeDir makes a directory below parent that is named by a new id, and
// returns the id and the directory's path. The directory has exactly the mode
// asked for, whatever the umask. An id that is taken is never used again:
// mkdir tells, and another one is tried.
func MakeDir(parent, gateway string, launch int, mode os.FileMode) (id, path string, err error) {
	if gateway == "" || strings.ContainsAny(gateway, "/\x00") {
		return "", "", fmt.Errorf("make directory of gateway %q: not a name", gateway)
	}
	root, err := os.OpenRoot(parent)
	if err != nil {
		return "", "", fmt.Errorf("make directory of gateway %s: %w", gateway, err)
	}
	defer root.Close()
	return makeDir(root, mode, func() string { return NewID(gateway, launch) })
}

// makeDir tries ids until one is free. That 16 are taken does not happen by
// chance; the bound only keeps a broken source of ids from a busy loop.
func makeDir(root *os.Root, mode os.FileMode, newID func() string) (id, path string, err error) {
	for range 16 {
		id = newID()
		if err = root.Mkdir(id, 0o700); errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", "", fmt.Errorf("make directory in %s: %w", root.Name(), err)
		}
		step.Done("launch-dir-made")
		if err := root.Chmod(id, mode); err != nil {
			return "", "", fmt.Errorf("make directory in %s: %w", root.Name(), errors.Join(err, root.Remove(id)))
		}
		return id, filepath.Join(root.Name(), id), nil
	}
	return "", "", fmt.Errorf("make directory in %s: no free id: %w", root.Name(), err)
}
