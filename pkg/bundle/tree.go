package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// A tree is one copy in progress. Directories are opened by their path relative
// to the two roots, one at a time, so the number of open files does not grow
// with the depth of a hostile tree; what PATH_MAX cannot name is refused by the
// kernel.
type tree struct {
	from, to *os.File
	owner    *owner
	links    map[inode]string // first copy of a file with several names
	queue    []string         // directories made and not yet filled
	filled   []directory      // directories that wait for their final attributes
}

type inode struct{ dev, ino uint64 }

type directory struct {
	rel  string
	stat unix.Stat_t
}

// A level is the directory being filled.
type level struct {
	from, to *os.File
	rel      string
}

func (l level) path(name string) string { return path.Join(l.rel, name) }

// copyTree copies source to dest, which it makes. On an error dest is left.
func copyTree(ctx context.Context, source, dest string, owner *owner) error {
	from, err := os.OpenFile(source, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return sourceError("open", ".", errnoOf(err))
	}
	defer from.Close()
	if err := os.Mkdir(dest, 0o700); err != nil {
		return err
	}
	to, err := os.OpenFile(dest, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer to.Close()
	t := &tree{from: from, to: to, owner: owner, links: map[inode]string{}, queue: []string{"."}}
	return t.copy(ctx)
}

func (t *tree) copy(ctx context.Context) error {
	for len(t.queue) > 0 {
		last := len(t.queue) - 1
		rel := t.queue[last]
		t.queue = t.queue[:last]
		if err := t.fill(ctx, rel); err != nil {
			return err
		}
	}
	return t.finish(ctx)
}

// finish gives directories their attributes, children before their parents:
// with its final mode a directory may let nobody in, and a new entry would
// change its time.
func (t *tree) finish(ctx context.Context) error {
	for i := len(t.filled) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		d := t.filled[i]
		dir, err := openBeneath(t.to, d.rel, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return copyError("open copy of", d.rel, err)
		}
		err = errors.Join(settle(dir, &d.stat, t.owner), dir.Close())
		if err != nil {
			return copyError("set attributes of", d.rel, err)
		}
	}
	return nil
}

// fill copies what is in the directory rel, but not what is in its
// subdirectories.
func (t *tree) fill(ctx context.Context, rel string) error {
	from, err := openBeneath(t.from, rel, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return t.unopened(rel, err)
	}
	defer from.Close()
	to, err := openBeneath(t.to, rel, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return copyError("open copy of", rel, err)
	}
	defer to.Close()
	d := directory{rel: rel}
	if err := unix.Fstat(int(from.Fd()), &d.stat); err != nil {
		return sourceError("stat", rel, err)
	}
	if err := copyXattrs(from, to); err != nil {
		return copyError("copy attributes of", rel, err)
	}
	t.filled = append(t.filled, d)
	return t.entries(ctx, level{from, to, rel})
}

func (t *tree) entries(ctx context.Context, l level) error {
	for {
		names, err := l.from.Readdirnames(256)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return sourceError("list", l.rel, errnoOf(err))
		}
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.entry(ctx, l, name); err != nil {
				return err
			}
		}
	}
}

func (t *tree) entry(ctx context.Context, l level, name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(int(l.from.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return sourceError("stat", l.path(name), err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if err := unix.Mkdirat(int(l.to.Fd()), name, 0o700); err != nil {
			return copyError("make", l.path(name), err)
		}
		t.queue = append(t.queue, l.path(name))
		return nil
	case unix.S_IFREG:
		return t.file(ctx, l, name)
	case unix.S_IFLNK:
		return t.symlink(l, name, &st)
	}
	return copyError("copy", l.path(name), fmt.Errorf("%s: %w", kindOf(st.Mode), ErrSpecialFile))
}

// unopened says what kept a directory or file of the source closed. Its mode
// and owner are what a reader of "permission denied" has to look up next.
func (t *tree) unopened(rel string, cause error) error {
	var st unix.Stat_t
	if !errors.Is(cause, fs.ErrPermission) || unix.Fstatat(int(t.from.Fd()), rel, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return sourceError("open", rel, cause)
	}
	return sourceError("open", rel, fmt.Errorf("%w (mode %04o, owner %d:%d)", cause, st.Mode&0o7777, st.Uid, st.Gid))
}
