package bundle

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// A volume is what a tree lies on, as far as its inodes and times have to be
// seen together with it.
type volume [sha256.Size]byte

// volumeOf returns the volume of an open directory. On a file system that can be
// written a change has a time, and that it is the same one is enough. An image
// (squashfs, erofs, an ISO) has the times and inodes that its builder gave it,
// often one time for all: another image in its place may have the same ones, and
// so what was learned of one mount of it holds for no other.
func volumeOf(fd int) volume {
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil {
		return unknownVolume()
	}
	place := binary.BigEndian.AppendUint32(nil, uint32(fs.Type))
	place = binary.BigEndian.AppendUint32(place, uint32(fs.Fsid.Val[0]))
	place = binary.BigEndian.AppendUint32(place, uint32(fs.Fsid.Val[1]))
	if fs.Flags&unix.ST_RDONLY == 0 {
		return sha256.Sum256(place)
	}
	// The unique id of a mount (Linux 6.8) is given once in the life of a kernel.
	var stx unix.Statx_t
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID_UNIQUE, &stx) != nil || stx.Mask&unix.STATX_MNT_ID_UNIQUE == 0 {
		return unknownVolume()
	}
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(place, stx.Mnt_id), boot...))
}

// unknownVolume is never met again.
func unknownVolume() (v volume) {
	_, _ = rand.Read(v[:]) // never fails
	return v
}
