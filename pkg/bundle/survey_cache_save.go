package bundle

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/gatewayd/gatewayd/internal/step"
)

// keep takes in what became known of d. Directories in which all is as it was
// keep their old block.
func (c *surveyCache) keep(d *examinedDir, settled int64) {
	if c.path == "" {
		return
	}
	block := d.cached.block
	if !d.known.Load() {
		block = encodeDir(d, settled)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocks = append(c.blocks, block)
	c.stale = c.stale || block != d.cached.block
}

func encodeDir(d *examinedDir, settled int64) string {
	buf := make([]byte, 4, blockHeader+len(d.records)*(entryHeader+16+stampSize+len(d.content)))
	buf = d.seen.append(buf)
	buf = append(buf, bit(d.seen.ctime <= settled))
	for i := range d.records {
		r := &d.records[i]
		keep := r.keep && r.dir == nil
		buf = append(buf, bit(keep))
		buf = binary.BigEndian.AppendUint16(buf, uint16(len(r.name)))
		buf = append(buf, r.name...)
		if keep {
			buf = append(r.append(buf), r.digest[:]...)
		}
	}
	binary.BigEndian.PutUint32(buf, uint32(len(buf)))
	return string(buf)
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// halfWritten ends the name of a cache that is being written.
const halfWritten = ".new"

// HalfWritten says whether name is that of a SurveyOptions.Cache which a survey was
// writing when it was killed: unless one is under way it can go.
func HalfWritten(name string) bool { return strings.HasSuffix(name, halfWritten) }

// save replaces the file, if something else is to be kept than what it holds.
//
// It is not synced: what a power loss leaves of it has another checksum, is as
// none, and the next survey reads everything once more. Nor is the name that it
// is written under a new one each time: so a crash leaves one file, which the
// next survey removes. If two write it at once, the checksum tells.
func (c *surveyCache) save() error {
	if c.path == "" || !c.stale && len(c.blocks) == len(c.dirs) {
		return nil
	}
	aside := c.path + halfWritten
	_ = os.Remove(aside) // mostly there is none, and the next call tells of what stays
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(c.write(file), file.Close())
	step.Done("digests-aside")
	if err == nil {
		err = os.Rename(aside, c.path)
		step.Done("digests-kept")
	}
	if err != nil {
		err = errors.Join(err, os.Remove(aside))
	}
	return err
}

func (c *surveyCache) write(to io.Writer) error {
	out, sum := bufio.NewWriterSize(to, 1<<18), crc32.New(castagnoli)
	both := io.MultiWriter(out, sum)
	if _, err := io.WriteString(both, c.header); err != nil {
		return err
	}
	for _, block := range c.blocks {
		if _, err := io.WriteString(both, block); err != nil {
			return err
		}
	}
	if _, err := out.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32())); err != nil {
		return err
	}
	return out.Flush()
}
