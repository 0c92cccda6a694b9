package bundle

import (
	"crypto/sha256"
	"errors"
	"hash"
	"sync"

	"golang.org/x/sys/unix"
)

// readSize bounds what is read between two looks at the context.
const readSize = 1 << 20

// A linkedFile is a file with several names, read for all of them by the worker
// that meets it first.
type linkedFile struct {
	seen   stamp
	read   sync.Once
	digest [sha256.Size]byte
	err    error
}

// linked returns what the names of a file have in common, and whether this is
// the first of them.
func (x *examination) linked(s *sighting) (file *linkedFile, first bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	id := inode{s.dev, s.ino}
	if file = x.links[id]; file == nil {
		file, first = &linkedFile{seen: s.stamp}, true
		x.links[id] = file
	}
	return file, first
}

// learn finds the content of the entry r, which looks as s says and is no
// directory. It reads only what is not known.
func (x *examination) learn(w *worker, fd int, d *examinedDir, r *record, s *sighting, t *tally) error {
	var err error
	switch s.kind() {
	case unix.S_IFREG:
		err = x.learnFile(w, fd, r, s, t)
	case unix.S_IFLNK:
		if r.keep || x.Content == ContentNone {
			return nil
		}
		r.digest, err = readLink(fd, r.name, s)
	default:
		r.digest, r.keep = specialContent(s), false
		return nil
	}
	if err != nil {
		return closedError("read", d.path(r.name), s, err)
	}
	if !r.keep {
		d.known.Store(false)
		r.keep = s.ctime <= x.settled
	}
	return nil
}

func (x *examination) learnFile(w *worker, fd int, r *record, s *sighting, t *tally) (err error) {
	var shared *linkedFile
	first := true
	if s.nlink > 1 {
		shared, first = x.linked(s)
	}
	if first {
		t.bytes += s.size
	}
	if r.keep || x.Content == ContentNone {
		return nil
	}
	if shared == nil {
		r.digest, err = x.readFile(w, fd, r.name, s, t)
		return err
	}
	shared.read.Do(func() { shared.digest, shared.err = x.readFile(w, fd, r.name, s, t) })
	if r.digest = shared.digest; shared.err == nil && shared.seen != s.stamp {
		return ErrChanged
	}
	return shared.err
}

// readFile returns the digest of what is in a file that looked as s says, before
// it was opened and after it was read. O_NONBLOCK: if it was swapped for a FIFO
// since, open must not wait for a writer.
func (x *examination) readFile(w *worker, dir int, name string, s *sighting, t *tally) (sum [sha256.Size]byte, err error) {
	fd, err := openQuietly(dir, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOATIME)
	if err != nil {
		return sum, becameOther(err)
	}
	defer unix.Close(fd)
	if err := unchanged(fd, s); err != nil {
		return sum, err
	}
	digest := sha256.New()
	if err := x.readAll(w, fd, s.size, digest); err != nil {
		return sum, err
	}
	t.read += s.size
	digest.Sum(sum[:0])
	return sum, unchanged(fd, s)
}

func (x *examination) readAll(w *worker, fd int, size int64, digest hash.Hash) error {
	for buf := w.buffer(readSize); size > 0; {
		if err := x.over(); err != nil {
			return err
		}
		n, err := unix.Read(fd, buf[:min(size, readSize)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return ErrChanged
		}
		digest.Write(buf[:n])
		size -= int64(n)
	}
	return nil
}

// unchanged returns ErrChanged if what is open as fd is not what s says.
func unchanged(fd int, s *sighting) error {
	now, err := sightOpen(fd)
	if err == nil && (now.stamp != s.stamp || now.mode != s.mode) {
		return ErrChanged
	}
	return err
}

// readLink returns the digest of a link's target. It has no descriptor to ask
// afterwards: that it is still the same link, its directory's times tell.
func readLink(dir int, name string, s *sighting) ([sha256.Size]byte, error) {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, target)
	if err != nil {
		return [sha256.Size]byte{}, becameOther(err)
	}
	return sha256.Sum256(target[:n]), nil
}
