package journal

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// Record is one entry of the journal: a message, its syslog priority (0 to 7)
// and further fields. It is not changed once it was handed to a Sink.
type Record struct {
	Message  []byte
	Priority journal.Priority
	Fields   []Field
}

// Field is one NAME=value of a Record. A name that journald would refuse is
// bent into one that it takes; a value may hold any byte.
type Field struct{ Name, Value string }

// Get returns the value of the first field of that name, or "".
func (r Record) Get(name string) string {
	for _, f := range r.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// recordOverhead is what a queued record costs beside its bytes: slice
// headers, allocation classes, its place in the queue. An estimate on the
// generous side, so that a flood of empty lines is bounded too.
const recordOverhead = 128

// size is the memory that a queued r is counted with.
func (r Record) size() int {
	n := recordOverhead + len(r.Message)
	for _, f := range r.Fields {
		n += 32 + len(f.Value)
	}
	return n
}

// appendRecord appends r in the native protocol of journald
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
func appendRecord(b []byte, r Record) []byte {
	b = append(b, "PRIORITY="...)
	b = strconv.AppendInt(b, int64(r.Priority), 10)
	b = append(b, '\n')
	b = appendField(b, "MESSAGE", r.Message)
	for _, f := range r.Fields {
		b = appendField(b, f.Name, []byte(f.Value))
	}
	return b
}

// appendField uses the length-prefixed form for a value with a newline:
// otherwise its second line would be read as a field of its own, and a gateway
// could forge any field in gatewayd's name.
func appendField(b []byte, name string, value []byte) []byte {
	b = append(b, name...)
	if bytes.IndexByte(value, '\n') < 0 {
		b = append(b, '=')
	} else {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	}
	b = append(b, value...)
	return append(b, '\n')
}

// maxFieldName is journald's own limit: it drops fields with longer names.
const maxFieldName = 64

// fieldName bends the key of a log field into a name that journald takes:
// upper-case letters, digits and underscores, a letter first (a leading
// underscore marks journald's own, trusted fields), at most 64 bytes. The names
// that a Record sets by itself get a prefix, since one field twice would be two
// values.
func fieldName(key string) string {
	name := strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			return c
		}
		return '_'
	}, key)
	name = strings.TrimLeft(name, "_")
	switch {
	case name == "", name == "MESSAGE", name == "PRIORITY", '0' <= name[0] && name[0] <= '9':
		name = "FIELD_" + name
	}
	return name[:min(len(name), maxFieldName)]
}
