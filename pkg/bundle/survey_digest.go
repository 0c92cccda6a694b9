package bundle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"golang.org/x/sys/unix"
)

// appendDescription appends the description of an entry to buf, in the form that
// the package comment gives.
func appendDescription(buf []byte, name string, mode uint32, content *[sha256.Size]byte) []byte {
	kind, bits := byte('f'), uint16(mode&0o7777)
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		kind = 'd'
	case unix.S_IFLNK:
		kind, bits = 'l', 0
	case unix.S_IFIFO:
		kind = 'p'
	case unix.S_IFSOCK:
		kind = 's'
	case unix.S_IFCHR:
		kind = 'c'
	case unix.S_IFBLK:
		kind = 'b'
	}
	buf = append(buf, kind)
	buf = binary.BigEndian.AppendUint16(buf, bits)
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(name)))
	buf = append(buf, name...)
	return append(buf, content[:]...)
}

func rootDigest(mode uint32, content *[sha256.Size]byte) string {
	sum := sha256.Sum256(appendDescription(nil, "", mode, content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// specialContent is the content of what is not to be opened.
func specialContent(s *sighting) [sha256.Size]byte {
	var content []byte
	if kind := s.kind(); kind == unix.S_IFCHR || kind == unix.S_IFBLK {
		content = binary.BigEndian.AppendUint32(content, unix.Major(s.rdev))
		content = binary.BigEndian.AppendUint32(content, unix.Minor(s.rdev))
	}
	return sha256.Sum256(content)
}

// appendState appends to buf what Survey.State is the fingerprint of. It does
// without owners, which read otherwise in a user namespace: a chown sets ctime.
func appendState(buf []byte, name string, mode uint32, s *stamp) []byte {
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(name)))
	buf = append(buf, name...)
	buf = binary.BigEndian.AppendUint32(buf, mode)
	return s.append(buf)
}

func (s *stamp) append(buf []byte) []byte {
	buf = binary.BigEndian.AppendUint64(buf, s.ino)
	buf = binary.BigEndian.AppendUint64(buf, uint64(s.size))
	buf = binary.BigEndian.AppendUint64(buf, uint64(s.mtime))
	return binary.BigEndian.AppendUint64(buf, uint64(s.ctime))
}
