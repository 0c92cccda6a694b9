package bundle

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// large is the size from which a file is a task of its own: the names behind it
// in the directory do not wait for it.
const large = 1 << 20

func (t *tree) file(w *worker, p *place, name string) error {
	from, st, err := t.openFile(p, name)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	if st.Size < large {
		return t.copyFile(w, p, name, from, &st)
	}
	t.share(w, p, func(w *worker) { t.largeFile(w, p, name) })
	return nil
}

func (t *tree) largeFile(w *worker, p *place, name string) {
	if t.stopped() {
		return
	}
	from, st, err := t.openFile(p, name)
	if err == nil {
		defer unix.Close(from)
		err = t.copyFile(w, p, name, from, &st)
	}
	if err != nil {
		t.fail(err)
	}
}

// openFile opens what was listed as a regular file. It may have become something
// else since, hence O_NONBLOCK: to open a FIFO must not wait for a writer.
func (t *tree) openFile(p *place, name string) (fd int, st unix.Stat_t, err error) {
	fd, err = t.openSource(p.from, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return -1, st, t.unopened(p.from, name, p.join(name), err)
	}
	err = unix.Fstat(fd, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = ErrChanged
	}
	if err != nil {
		_ = unix.Close(fd) // was not even read
		return -1, st, sourceError("open", p.join(name), err)
	}
	return fd, st, nil
}

func (t *tree) copyFile(w *worker, p *place, name string, from int, st *unix.Stat_t) error {
	a, err := t.attributesOf(st)
	if err != nil {
		return copyError("copy", p.join(name), err)
	}
	to, err := t.createOrLink(p, name, st)
	if err != nil {
		return copyError("copy", p.join(name), err)
	}
	if to < 0 {
		return nil
	}
	err = t.fill(w, to, from, st, &a)
	if closeErr := unix.Close(to); err == nil {
		err = closeErr
	}
	if err != nil {
		return copyError("copy", p.join(name), err)
	}
	t.noteSetuid(p, name, st)
	t.remember(p.directory, name, &a)
	return nil
}

func (t *tree) fill(w *worker, to, from int, st *unix.Stat_t, a *attributes) error {
	if err := t.countBytes(st.Size); err != nil {
		return err
	}
	if err := t.copyData(w, to, from, st); err != nil {
		return err
	}
	if err := copyXattrs(to, from); err != nil {
		return err
	}
	if changedFile(from, st) {
		return ErrChanged
	}
	return settle(to, a)
}

func (t *tree) noteSetuid(p *place, name string, st *unix.Stat_t) {
	if st.Mode&unix.S_ISUID == 0 || t.KeepSetuid {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setuid.add(p.join(name))
}

type inode struct{ dev, ino uint64 }

// links are the files with several names that are copied already.
type links struct {
	mu    sync.Mutex
	first map[inode]link
}

// A link is the first name of a copy.
type link struct {
	dir  *directory
	name string
	left uint64 // names of it that have not been met
}

// createOrLink opens a new file, or returns -1 where the file is copied already
// and got name as a further name. What is linked may still be without content:
// whoever made it is about that.
func (t *tree) createOrLink(p *place, name string, st *unix.Stat_t) (fd int, err error) {
	if st.Nlink == 1 {
		return create(p.to, name, st.Mode)
	}
	i := inode{st.Dev, st.Ino}
	t.links.mu.Lock()
	defer t.links.mu.Unlock()
	if first, ok := t.links.first[i]; ok {
		if first.left--; first.left == 0 {
			delete(t.links.first, i)
		} else {
			t.links.first[i] = first
		}
		return -1, t.link(first, p, name)
	}
	if fd, err = create(p.to, name, st.Mode); err == nil {
		t.links.first[i] = link{p.directory, name, uint64(st.Nlink) - 1} //nolint:unconvert // uint32 on arm64
	}
	return fd, err
}

// create makes a file as it will be, but for what is cleared by writing to it
// (set-ID bits) and by the umask, and for the owner's right to write, which it
// takes to set an attribute (xattr(7)) even where the file is open for writing.
// Nobody else can come near it: see makeRoot.
func create(dir int, name string, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode&0o777|0o200)
		if !errors.Is(err, unix.EINTR) {
			step.Done("file-made")
			return fd, err
		}
	}
}

// link opens the directory of the first name: linkat(2) would follow a symbolic
// link that somebody put on the way there, to a file that is not ours.
func (t *tree) link(first link, p *place, name string) error {
	dir := p.to
	if first.dir != p.directory {
		var err error
		if dir, err = openAt(t.to, first.dir.path(), unix.O_PATH|unix.O_DIRECTORY); err != nil {
			return err
		}
		defer unix.Close(dir)
	}
	err := unix.Linkat(dir, first.name, p.to, name, 0)
	step.Done("file-linked")
	return err
}
