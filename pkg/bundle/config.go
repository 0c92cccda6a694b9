package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

const (
	configName = "config.json"
	configNew  = StagingPrefix + configName
)

// WriteConfig writes spec to dir/config.json with mode 0600: its environment
// may hold secrets. The file is written aside and renamed, so it is complete
// when it is there; one that is there already is replaced.
func WriteConfig(dir string, spec *specs.Spec) error {
	data, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("write %s: %w", configName, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write %s: %w", configName, err)
	}
	defer root.Close()
	defer clear(data) // encoding/json has its own copy, which it may write over
	if err := writeAside(root, data); err != nil {
		return fmt.Errorf("write %s: %w", configName, errors.Join(err, scrub(root, configNew)))
	}
	return nil
}

func writeAside(root *os.Root, data []byte) error {
	// What a crash left there has an environment, too.
	if err := scrub(root, configNew); err != nil {
		return err
	}
	if err := root.Remove(configNew); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := root.OpenFile(configNew, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Chmod(0o600), file.Close()); err != nil {
		return err
	}
	step.Done("config-aside")
	err = root.Rename(configNew, configName)
	step.Done("config-written")
	return err
}

// ScrubConfig overwrites dir/config.json in place with zeros, then with an
// empty object, and the same for one that was not finished: no value of an
// environment is in the file any more, nor in the blocks of it on a file system
// that writes in place (a tmpfs does). The runtimes need it no more once they
// have created the container. It is idempotent; no file is no error.
func ScrubConfig(dir string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("scrub %s: %w", configName, err)
	}
	defer root.Close()
	if err := errors.Join(scrub(root, configName), scrub(root, configNew)); err != nil {
		return fmt.Errorf("scrub %s: %w", configName, err)
	}
	return nil
}

func scrub(root *os.Root, name string) error {
	// O_NONBLOCK: never wait in open for the other end of a FIFO.
	file, err := root.OpenFile(name, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(overwrite(file), file.Close())
}

// overwrite needs no room that the file does not have: a full file system is no reason
// for a value to stay.
func overwrite(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	const empty = "{}\n"
	if err := zero(file); err != nil {
		return err
	}
	if _, err := file.WriteAt([]byte(empty), 0); err != nil {
		return err
	}
	err = file.Truncate(int64(len(empty)))
	step.Done("config-scrubbed")
	return err
}

func zero(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	_, err = file.WriteAt(make([]byte, info.Size()), 0)
	step.Done("config-zeroed")
	return err
}
