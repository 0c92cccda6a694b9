package runtime

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// opened does something with a file of the cgroup dir, or with the cgroup itself
// (""), and does it again once it may. A container that may mount its cgroup, by a
// capability that it was given, may also take all modes there away: its root is the
// user that gatewayd is. That user may give them back.
func opened(dir, file string, do func(path string) error) error {
	path := filepath.Join(dir, file)
	err := do(path)
	if !errors.Is(err, unix.EACCES) {
		return err
	}
	for _, closed := range []string{dir, path} { // a file is found only in a directory that is open
		if err := os.Chmod(closed, 0o700); err != nil {
			return err
		}
	}
	step.Done("leaf-opened")
	return do(path)
}

func readControl(dir, file string) (data []byte, err error) {
	err = opened(dir, file, func(path string) (err error) {
		data, err = os.ReadFile(path)
		return err
	})
	return data, err
}
