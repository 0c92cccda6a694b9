package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// digestOf is the digest of a tree as its documentation has it, in one thread,
// by path, and sharing no line with what is tested.
func digestOf(t rapid.TB, root string) string {
	t.Helper()
	return fmt.Sprintf("sha256:%x", sha256.Sum256(description(t, root, "")))
}

func description(t rapid.TB, path, name string) []byte {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	mode := uint16(st.Mode & 0o7777)
	var kind byte
	var content []byte
	switch st.Mode >> 12 {
	case 0o01:
		kind = 'p'
	case 0o02, 0o06:
		kind = map[uint32]byte{0o02: 'c', 0o06: 'b'}[st.Mode>>12]
		content = binary.BigEndian.AppendUint32(nil, uint32(st.Rdev>>8)&0xfff)
		content = binary.BigEndian.AppendUint32(content, uint32(st.Rdev&0xff))
	case 0o04:
		kind = 'd'
		entries, err := os.ReadDir(path)
		must(t, err)
		sort.Slice(entries, func(i, j int) bool { return bytes.Compare([]byte(entries[i].Name()), []byte(entries[j].Name())) < 0 })
		for _, e := range entries {
			content = append(content, description(t, filepath.Join(path, e.Name()), e.Name())...)
		}
	case 0o10:
		kind = 'f'
		data, err := os.ReadFile(path)
		must(t, err)
		content = data
	case 0o12:
		kind, mode = 'l', 0
		target, err := os.Readlink(path)
		must(t, err)
		content = []byte(target)
	case 0o14:
		kind = 's'
	}
	sum := sha256.Sum256(content)
	out := append([]byte{kind, byte(mode >> 8), byte(mode), byte(len(name) >> 8), byte(len(name))}, name...)
	return append(out, sum[:]...)
}
