package posture

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// paths are masked, or can only be read. One that is not there needs neither.
func (c *check) paths() error {
	for _, path := range c.Masked {
		masked, err := c.masked(path)
		switch {
		case err == nil:
			c.want("masked "+path, masked, "nothing to be seen", seen(masked))
		case isClosed(err):
			c.unseen("masked "+path, err)
		case !absent(err):
			return err
		}
	}
	for _, path := range c.ReadOnly {
		fd, err := c.open(path, unix.O_PATH)
		if absent(err) {
			continue
		}
		if isClosed(err) {
			c.unseen("read-only "+path, err)
			continue
		}
		if err != nil {
			return err
		}
		readOnly, err := isReadOnly(fd)
		_ = unix.Close(fd)
		if err != nil {
			return fmt.Errorf("look at %s: %w", path, err)
		}
		c.want("read-only "+path, readOnly, "ro", map[bool]string{true: "ro", false: "rw"}[readOnly])
	}
	return nil
}

func seen(masked bool) string {
	if masked {
		return "nothing"
	}
	return "what is there"
}

// masked says whether what is at path is the null device, or an empty directory that
// stays empty.
func (c *check) masked(path string) (bool, error) {
	fd, err := c.open(path, unix.O_PATH)
	if err != nil {
		return false, err
	}
	defer func() { _ = unix.Close(fd) }()
	st, err := statAt(fd, "", unix.AT_EMPTY_PATH)
	if err != nil || isNull(st) {
		return err == nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return false, nil
	}
	if readOnly, err := isReadOnly(fd); err != nil || !readOnly {
		return false, err
	}
	if !isMount(st) {
		return false, nil
	}
	return c.isEmpty(path)
}

func (c *check) isEmpty(path string) (bool, error) {
	fd, err := c.open(path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return false, err
	}
	dir := os.NewFile(uintptr(fd), path)
	defer func() { _ = dir.Close() }()
	names, err := dir.ReadDir(-1)
	return len(names) == 0, err
}

func isReadOnly(fd int) (bool, error) {
	var st unix.Statfs_t
	err := unix.Fstatfs(fd, &st)
	return st.Flags&unix.ST_RDONLY != 0, err
}
