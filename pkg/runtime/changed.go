package runtime

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Changed says what has become of the file that the program was copied from: it is
// gone, or is another program now. The copy goes on being used. Nil: it is still the
// same. All of the file is read, which takes some milliseconds.
func (b Binary) Changed() error {
	file, err := os.OpenFile(b.Path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO would wait for its other end
	if err != nil {
		return err
	}
	defer file.Close()
	copied, err := b.File()
	if err != nil {
		return err
	}
	defer copied.Close()
	same, err := equal(file, copied)
	if err == nil && !same {
		err = fmt.Errorf("%s is another program now", b.Path)
	}
	return err
}

func equal(a, b *os.File) (bool, error) {
	is, err := a.Stat()
	if err != nil {
		return false, err
	}
	was, err := b.Stat()
	if err != nil || !is.Mode().IsRegular() || is.Size() != was.Size() {
		return false, err
	}
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); at < is.Size(); at += int64(len(x)) {
		n := min(int64(len(x)), is.Size()-at)
		if _, err := a.ReadAt(x[:n], at); err != nil {
			return false, err
		}
		if _, err := b.ReadAt(y[:n], at); err != nil { // at an offset, since that of the copy is shared
			return false, err
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return false, nil
		}
	}
	return true, nil
}
