package bundle

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// small is the size up to which reading and writing is the quickest way:
	// copy_file_range(2) sets up a pipe for every call.
	small = 64 << 10

	// chunk bounds what is copied between two looks at the context: on a disk
	// of 100 MB/s that is 40 ms.
	chunk = 4 << 20
)

// lacks are what turned out not to be possible between the two file systems, and
// is not asked for again.
type lacks struct{ clone, copyRange, noatime atomic.Bool }

// copyData copies what is in a file, and shares the blocks where the file system
// can.
func (t *tree) copyData(w *worker, to, from int, st *unix.Stat_t) error {
	if st.Size == 0 {
		return nil
	}
	if done, err := t.clone(to, from); done || err != nil {
		return err
	}
	if st.Blocks*512 < st.Size {
		return t.copySparse(w, to, from, st.Size)
	}
	return t.copyExtent(w, to, from, 0, st.Size)
}

func (t *tree) clone(to, from int) (done bool, err error) {
	if t.lacks.clone.Load() {
		return false, nil
	}
	err = unix.IoctlFileClone(to, from)
	if impossible(err) {
		t.lacks.clone.Store(true)
		return false, nil
	}
	return err == nil, err
}

// copySparse copies extent by extent, so that holes stay holes.
func (t *tree) copySparse(w *worker, to, from int, size int64) error {
	for at := int64(0); at < size; {
		data, err := unix.Seek(from, at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // only a hole is left
			break
		}
		if err != nil {
			return err
		}
		hole, err := unix.Seek(from, data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		at = min(hole, size)
		if err := t.copyExtent(w, to, from, data, at); err != nil {
			return err
		}
	}
	return unix.Ftruncate(to, size)
}

func (t *tree) copyExtent(w *worker, to, from int, start, end int64) error {
	for start < end {
		if t.stopped() {
			return t.err
		}
		n, err := t.copyChunk(w, to, from, start, min(end-start, chunk))
		if err != nil {
			return err
		}
		start += n
	}
	return nil
}

// copyChunk copies up to size bytes, and at least one.
func (t *tree) copyChunk(w *worker, to, from int, at, size int64) (int64, error) {
	if size <= small || t.lacks.copyRange.Load() {
		return readWrite(w, to, from, at, size)
	}
	in, out := at, at
	n, err := unix.CopyFileRange(from, &in, to, &out, int(size), 0)
	switch {
	case errors.Is(err, unix.EINTR):
		return 0, nil
	case impossible(err):
		t.lacks.copyRange.Store(true)
	case err != nil:
		return 0, err
	case n > 0:
		return int64(n), nil
	}
	// Some file systems say that there is nothing where there is
	// (copy_file_range(2), BUGS): read it.
	return readWrite(w, to, from, at, size)
}

// impossible reports whether err says of a call that it is not to be had between
// these two files, in the words of any kernel and of a seccomp filter.
func impossible(err error) bool {
	return isOneOf(err, unix.EOPNOTSUPP, unix.EXDEV, unix.EINVAL, unix.ENOSYS, unix.ENOTTY, unix.EPERM, unix.EBADF, unix.ETXTBSY)
}

// readWrite copies up to size bytes, and at least one.
func readWrite(w *worker, to, from int, at, size int64) (int64, error) {
	buf := w.buffer(int(min(size, small)))
	n, err := unix.Pread(from, buf, at)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, ErrChanged // it was longer
	}
	return int64(n), writeAll(to, buf[:n], at)
}

func writeAll(to int, buf []byte, at int64) error {
	for len(buf) > 0 {
		n, err := unix.Pwrite(to, buf, at)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		buf, at = buf[n:], at+int64(n)
	}
	return nil
}
