package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A survey's cache is a file of
//
//	8 bytes   cacheMagic
//	          identity of the source: its volume (32 bytes), the inode of the
//	          directory (8 bytes), the length of its path (2 bytes), its path
//	          one block for each directory
//	4 bytes   CRC-32C of all that is before
//
// and a block is
//
//	4 bytes   its length
//	32 bytes  stamp of the directory: inode, size, mtime, ctime
//	1 byte    whether all of its names are those that it had with that stamp
//	          its entries, sorted by name:
//	          1 byte    whether there is a digest
//	          2 bytes   length of the name
//	                    name
//	          32 bytes  with a digest: stamp of the entry
//	          32 bytes  digest of its content
//
// Numbers have their most significant byte first. Directories are found by
// inode, so that one that was moved is known, too.
type surveyCache struct {
	path   string // "": there is none, nothing is known and nothing kept
	header string
	dirs   map[uint64]cachedDir

	mu     sync.Mutex
	blocks []string
	stale  bool // the blocks are not those of the file
}

// The version is part of the magic: another one is no cache.
const (
	cacheMagic = "survey2\n"
	stampSize  = 32

	blockHeader = 4 + stampSize + 1
	entryHeader = 1 + 2

	// maxCache is what a tree of some ten million entries needs. A larger file
	// is not one of ours.
	maxCache = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A cachedDir is what was known of a directory.
type cachedDir struct {
	stamp
	complete bool
	block    string
}

// openCache reads the cache at path of the directory source, which has the inode
// ino on the volume on. What is not one, or not of this directory, is as none.
func openCache(path, source string, on volume, ino uint64) *surveyCache {
	c := &surveyCache{path: path}
	if path == "" {
		return c
	}
	header := binary.BigEndian.AppendUint64(append([]byte(cacheMagic), on[:]...), ino)
	header = binary.BigEndian.AppendUint16(header, uint16(len(source)))
	c.header = string(header) + source
	data, err := readCache(path)
	if err == nil {
		c.dirs, err = parseCache(data, c.header)
	}
	c.stale = err != nil
	return c
}

var errNoCache = errors.New("not a survey's cache")

// readCache does not wait for the writer of a FIFO.
func readCache(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCache {
		return nil, errNoCache
	}
	data := make([]byte, info.Size())
	_, err = io.ReadFull(file, data)
	return data, err
}

// parseCache finds the blocks in data. All names that come of it are parts of
// data, which must not be written any more.
func parseCache(data []byte, header string) (map[uint64]cachedDir, error) {
	end := len(data) - crc32.Size
	if end < len(header) || !bytes.HasPrefix(data, []byte(header)) ||
		crc32.Checksum(data[:end], castagnoli) != binary.BigEndian.Uint32(data[end:]) {
		return nil, errNoCache
	}
	blocks := unsafe.String(unsafe.SliceData(data), end)[len(header):]
	dirs := map[uint64]cachedDir{}
	for len(blocks) > 0 {
		if len(blocks) < blockHeader {
			return nil, errNoCache
		}
		size := int(beUint32(blocks))
		if size < blockHeader || size > len(blocks) {
			return nil, errNoCache
		}
		d := cachedDir{stamp: parseStamp(blocks[4:]), complete: blocks[4+stampSize] == 1, block: blocks[:size]}
		dirs[d.ino] = d
		blocks = blocks[size:]
	}
	return dirs, nil
}

// appendRecords appends those of the entries, in the order of the block. ok is
// false when they are damaged, or there is no block.
func (d *cachedDir) appendRecords(records []record) (_ []record, ok bool) {
	if d.block == "" {
		return records, false
	}
	for rest := d.block[blockHeader:]; len(rest) > 0; {
		if len(rest) < entryHeader {
			return records, false
		}
		r, length := record{keep: rest[0] == 1}, int(beUint16(rest[1:]))
		size := entryHeader + length
		if r.keep {
			size += stampSize + sha256.Size
		}
		if size > len(rest) {
			return records, false
		}
		r.name = rest[entryHeader : entryHeader+length]
		if n := len(records); n > 0 && records[n-1].name >= r.name {
			return records, false
		}
		if r.keep {
			r.stamp = parseStamp(rest[entryHeader+length:])
			copy(r.digest[:], rest[size-sha256.Size:])
		}
		records, rest = append(records, r), rest[size:]
	}
	return records, true
}

func parseStamp(s string) stamp {
	return stamp{beUint64(s), int64(beUint64(s[8:])), int64(beUint64(s[16:])), int64(beUint64(s[24:]))}
}

func beUint16(s string) uint16 { return uint16(s[0])<<8 | uint16(s[1]) }
func beUint32(s string) uint32 { return uint32(beUint16(s))<<16 | uint32(beUint16(s[2:])) }
func beUint64(s string) uint64 { return uint64(beUint32(s))<<32 | uint64(beUint32(s[4:])) }
