package bundle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An entry is what a directory says about one of its names.
type entry struct {
	name string
	kind uint8 // DT_DIR, DT_REG …; DT_UNKNOWN where the file system does not say
	ino  uint64
}

// listSize is what one call of getdents64(2) may fill: some thousand entries.
// glibc's and Go's 32 KiB and 8 KiB make a large directory cost more calls.
const listSize = 64 << 10

// list appends the next entries of the directory dir, without "." and "..", to
// entries. At the end it appends nothing. os.File would give the names, but only
// together with an lstat(2) of each their types.
func list(dir int, buf []byte, entries []entry) ([]entry, error) {
	for {
		n, err := unix.Getdents(dir, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return entries, err
		}
		before := len(entries)
		if entries = parseEntries(buf[:n], entries); len(entries) > before {
			return entries, nil
		}
	}
}

// parseEntries reads struct linux_dirent64 of getdents64(2), one behind the
// other.
func parseEntries(buf []byte, entries []entry) []entry {
	const lengthAt, kindAt, nameAt = unsafe.Offsetof(unix.Dirent{}.Reclen), unsafe.Offsetof(unix.Dirent{}.Type), unsafe.Offsetof(unix.Dirent{}.Name)
	const inoAt = unsafe.Offsetof(unix.Dirent{}.Ino)
	for len(buf) > int(nameAt) {
		record := buf[:binary.NativeEndian.Uint16(buf[lengthAt:])]
		buf = buf[len(record):]
		name, _, _ := bytes.Cut(record[nameAt:], []byte{0})
		if s := string(name); s != "." && s != ".." {
			entries = append(entries, entry{name: s, kind: record[kindAt], ino: binary.NativeEndian.Uint64(record[inoAt:])})
		}
	}
	return entries
}
