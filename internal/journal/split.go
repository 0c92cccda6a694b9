package journal

import (
	"bytes"

	"github.com/coreos/go-systemd/v22/journal"
)

const (
	// maxText is the longest message of one record, in bytes. With it a record
	// fits into one datagram (net.core.wmem_default is 208 KiB).
	maxText = 64 << 10
	// firstLine is what a stream costs while its lines are short.
	firstLine = 1 << 10
)

// splitter cuts one stream into lines, and too long lines into chunks.
//
// What goes in comes out: the texts joined, with a newline after each that is
// not partial, are the input less the priority prefixes (and with a newline at
// the very end).
type splitter struct {
	fallback journal.Priority // of a line without a prefix
	emit     func(text []byte, p journal.Priority, partial bool)

	buffer   []byte // bytes without a newline, the beginning of the next chunk
	partial  bool   // a chunk of this line was emitted
	priority journal.Priority
}

// write takes the next bytes of the stream.
func (s *splitter) write(text []byte) {
	for len(text) > 0 {
		n := copy(s.space(), text)
		s.add(n)
		text = text[n:]
	}
}

// space is where the next bytes of the stream go; it is never empty. The
// buffer holds one byte more than a chunk: what follows must be known before a
// chunk can be called partial.
func (s *splitter) space() []byte {
	if len(s.buffer) == cap(s.buffer) {
		size := min(max(firstLine, 2*cap(s.buffer)), maxText+1)
		s.buffer = append(make([]byte, 0, size), s.buffer...)
	}
	return s.buffer[len(s.buffer):cap(s.buffer)]
}

// add takes n bytes that were put into space and emits what they complete.
func (s *splitter) add(n int) {
	seen := len(s.buffer)
	s.buffer = s.buffer[:seen+n]
	rest := s.buffer
	for {
		end := bytes.IndexByte(rest[seen:], '\n')
		if end < 0 {
			break
		}
		s.chunk(rest[:seen+end], false)
		rest, seen = rest[seen+end+1:], 0
	}
	if len(rest) > maxText {
		s.chunk(rest[:maxText], true)
		rest = rest[maxText:]
	}
	if len(rest) < len(s.buffer) {
		s.buffer = s.buffer[:copy(s.buffer, rest)]
	}
}

// finish emits the last words of a stream that does not end with a newline.
func (s *splitter) finish() {
	if len(s.buffer) > 0 {
		s.chunk(s.buffer, false)
		s.buffer = s.buffer[:0]
	}
}

// chunk emits text, which begins a line or goes on with one.
func (s *splitter) chunk(text []byte, partial bool) {
	if !s.partial {
		s.priority = s.fallback
		if p, ok := prefix(text); ok {
			s.priority, text = p, text[3:]
		}
	}
	s.partial = partial
	s.emit(text, s.priority, partial)
}

// prefix reads the "<N>" of sd-daemon(3). Other numbers are text: systemd too
// takes no facility here.
func prefix(line []byte) (journal.Priority, bool) {
	if len(line) < 3 || line[0] != '<' || line[2] != '>' || line[1] < '0' || line[1] > '7' {
		return 0, false
	}
	return journal.Priority(line[1] - '0'), true
}
