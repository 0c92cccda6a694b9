package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// OverlayRefusal returns why the surveyed tree source cannot be the lower one of
// an overlay for a container with ids, or nil. The error is one short line for
// people and names an entry of the tree.
//
// What belongs to an id that the container does not have stays as it is in
// there: root of the container cannot write it, nor in a directory of it
// (EOVERFLOW), which matters unless its root is readOnly, and reads what others
// may read. Special files are refused as Copy refuses them: of a device 0:0 an
// overlay makes a hole.
func (s *Survey) OverlayRefusal(source string, ids IDMap, readOnly bool) error {
	if !filepath.IsAbs(source) || hasNUL(source) {
		return fmt.Errorf("%q is not an absolute path", source)
	}
	for _, o := range s.Owners {
		if ids.owns(o) {
			continue
		}
		if !readOnly {
			return fmt.Errorf("%s belongs to %d:%d, where container root could not write", entryName(source, o.Path), o.UID, o.GID)
		}
		if o.Closed != "" {
			return fmt.Errorf("%s belongs to %d:%d, and container root could not read it", entryName(source, o.Closed), o.UID, o.GID)
		}
	}
	if s.Special.Count > 0 && len(s.Special.First) > 0 {
		return fmt.Errorf("%s is a FIFO, socket or device", entryName(source, s.Special.First[0]))
	}
	return nil
}

// owns: both ids. The kernel writes neither of an inode with one that it cannot
// say in the container's namespace.
func (m IDMap) owns(o Owner) bool {
	_, user := toContainer(m.UIDs, o.UID)
	_, group := toContainer(m.GIDs, o.GID)
	return user && group
}

// entryName is the path in the tree, and the tree's own for its root.
func entryName(source, path string) string {
	if path == "" || path == "." {
		return source
	}
	return path
}

// roomForName is what a launch's name below the directory of CheckUpper may
// take: 32 bytes of the gateway's name, the number and the random part.
const roomForName = 64

// CheckUpper returns why no directory that MakeOverlay makes in dir could be the
// upper one of an overlay, or nil: the path is too long for a mount, or its file
// system is an overlay itself or keeps no user.* attributes (as tmpfs before
// Linux 6.6). The error is one short line for people and names dir. It makes a
// directory in dir for a moment.
func CheckUpper(dir string) error {
	name := strings.Repeat("x", roomForName)
	if err := overlayIn(filepath.Join(dir, name), "/").check(); err != nil {
		return fmt.Errorf("%s cannot be named in a mount: %w", dir, err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return fmt.Errorf("%s lies on an overlay itself", dir)
	}
	return checkXattrs(dir)
}

func checkXattrs(dir string) error {
	probe := filepath.Join(dir, stagingName("overlay"))
	if err := os.Mkdir(probe, 0o700); err != nil {
		return err
	}
	step.Done("upper-tried")
	err := unix.Setxattr(probe, "user.overlay.probe", []byte("y"), 0)
	if errors.Is(err, unix.ENOTSUP) {
		err = fmt.Errorf("%s keeps no user attributes", dir)
	} else if err != nil {
		err = &os.PathError{Op: "set attribute in", Path: dir, Err: err}
	}
	return errors.Join(err, os.Remove(probe))
}
