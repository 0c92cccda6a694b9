package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// An Overlay is a root file system that is not copied: the kernel shows the
// tree Lower and keeps in Upper what is written over it. The runtime mounts it
// in the container's own mount namespace (Plan.Overlay), so there is nothing to
// unmount: Remove the directory that MakeOverlay made when the container has
// ended. All paths are absolute, on the host.
//
// Lower must not change while the container lives: what it sees then is not
// defined (overlayfs.rst of the kernel).
type Overlay struct {
	Lower string // the source, never written
	Link  string // a symbolic link to Lower, by which the mount names it
	Upper string // becomes the container's "/"
	Work  string // for the kernel alone
	Root  string // an empty directory, on which the overlay is mounted
}

// MakeOverlay makes the directory dir, and in it what an overlay over lower
// needs: the same few system calls for a tree of any size. Everything belongs
// to the container's 0:0 and is closed to others. Upper has the mode, the times
// and the user.* attributes of lower, since an overlay shows those of its upper
// directory; dir keeps others out where they are wide.
//
// dir must not exist (fs.ErrExist), and is complete when it does: it is made
// under a name with StagingPrefix beside it and renamed. On an error nothing is
// left. Removal is by Remove, whatever the container made of it.
func MakeOverlay(dir, lower string, ids IDMap) (Overlay, error) {
	dir = filepath.Clean(dir)
	o := overlayIn(dir, lower)
	err := o.check()
	if err == nil {
		err = makeOverlay(dir, lower, ids)
	}
	if err != nil {
		return Overlay{}, fmt.Errorf("make overlay over %s: %w", lower, err)
	}
	return o, nil
}

func overlayIn(dir, lower string) Overlay {
	return Overlay{
		Lower: lower, Link: filepath.Join(dir, "lower"),
		Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work"), Root: filepath.Join(dir, "root"),
	}
}

func makeOverlay(dir, lower string, ids IDMap) error {
	from, err := os.OpenFile(lower, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	staging := filepath.Join(filepath.Dir(dir), stagingName(filepath.Base(dir)))
	err = fillOverlay(staging, from, ids)
	if err == nil {
		err = publish(context.Background(), unix.AT_FDCWD, staging, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(staging)) // nobody else was in there
	}
	return nil
}

func fillOverlay(dir string, lower *os.File, ids IDMap) error {
	uid, gid, ok := ids.Root()
	if !ok {
		return errors.New("0:0 is not mapped")
	}
	for _, path := range []string{dir, dir + "/work", dir + "/root", dir + "/upper"} {
		// The mode again, for the umask.
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o700); err != nil {
			return err
		}
		step.Done("overlay-part-made")
	}
	if err := os.Symlink(lower.Name(), dir+"/lower"); err != nil {
		return err
	}
	upper, err := os.Open(dir + "/upper")
	if err != nil {
		return err
	}
	if err := errors.Join(dressUpper(upper, lower), upper.Close()); err != nil {
		return err
	}
	// dir goes last: until then nobody with these ids gets in, to put something
	// else in the place of what root changes here by its path.
	for _, path := range []string{dir + "/work", dir + "/root", dir + "/upper", dir} {
		if err := os.Lchown(path, uid, gid); err != nil {
			return err
		}
		step.Done("overlay-part-given")
	}
	return nil
}

// dressUpper makes upper look as lower does: an overlay's "/" is its upper one.
func dressUpper(upper, lower *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(lower.Fd()), &st); err != nil {
		return &os.PathError{Op: "stat", Path: lower.Name(), Err: err}
	}
	if err := copyXattrs(int(upper.Fd()), int(lower.Fd())); err != nil {
		return err
	}
	if err := dropMarks(int(upper.Fd())); err != nil {
		return err
	}
	a := sameAs(&st)
	return settle(int(upper.Fd()), &a)
}

// dropMarks takes away what an overlay would take for its own. A lower tree may
// say user.overlay.opaque of itself: on upper it would hide all of lower.
func dropMarks(fd int) error {
	names, err := readAll(func(buf []byte) (int, error) { return unix.Flistxattr(fd, buf) })
	for name := range strings.SplitSeq(string(names), "\x00") {
		if strings.HasPrefix(name, "user.overlay.") {
			err = errors.Join(err, unix.Fremovexattr(fd, name))
		}
	}
	return ignoreUnsupported(err)
}

// maxMountOption is what fsconfig(2) takes as a value, which youki uses.
const maxMountOption = 255

// mount is the overlay as the container's "/". Lower is named by Link: its own
// path may be of any length and bytes, where an option and JSON may not.
//
// userxattr: the overlay keeps its marks in user.overlay.* attributes, since
// root of a user namespace may set no trusted.* ones.
//
// volatile (Linux 5.10): nothing of what goes with its launch need reach a disk.
// Without it the kernel writes the file system of upper back, journal and all, when
// the last process ends, and tells of that end only afterwards.
func (o Overlay) mount() specs.Mount {
	return specs.Mount{Destination: "/", Type: "overlay", Source: "overlay", Options: []string{
		"nosuid", "nodev", "userxattr", "volatile",
		"lowerdir=" + escape(o.Link), "upperdir=" + escape(o.Upper), "workdir=" + escape(o.Work),
	}}
}

// escape: a comma ends an option and a colon a lower directory, unless a
// backslash stands before it (overlayfs.rst).
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `:`, `\:`).Replace(path)
}

// check finds what no mount can be made of.
func (o Overlay) check() error {
	if !filepath.IsAbs(o.Lower) {
		return fmt.Errorf("%q: not an absolute path", o.Lower)
	}
	for _, path := range []string{o.Link, o.Upper, o.Work, o.Root} {
		if !isCleanAbs(path) {
			return fmt.Errorf("%q: not a clean absolute path of UTF-8", path)
		}
		if n := len(escape(path)); n > maxMountOption {
			return fmt.Errorf("%s: %d bytes as a mount option, at most %d are possible", path, n, maxMountOption)
		}
	}
	return nil
}
