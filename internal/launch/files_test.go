package launch

import (
	"errors"
	"os"
	"path/filepath"
)

// copyFile makes to an executable copy of from.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

// makeClosed makes a directory that keeps its owner out.
func makeClosed(path string) error {
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.Mkdir(path, 0o700), os.Chmod(path, 0))
}
