package runtime

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"unicode"
)

// Bounds on what is read of a runtime's log and told of it: a runtime may flood.
const (
	maxLogPart = 32 << 10 // bytes read at the beginning and at the end
	maxWords   = 1 << 10  // bytes told of one message
)

// words are the errors in a runtime's log. Runtimes log a failure where it
// happens and again at each level above: the last message says what failed, the
// first one why.
type words struct{ first, last string }

func (w words) String() string {
	if w.first == w.last || strings.Contains(w.last, w.first) {
		return w.last
	}
	return w.last + " (" + w.first + ")"
}

// record is a line of a log: youki says message and "ERROR", runc and crun say
// msg and "error"; youki puts the cause into err.
type record struct {
	Level   string `json:"level"`
	Message string `json:"message"`
	Msg     string `json:"msg"`
	Err     string `json:"err"`
}

func (r *Runtime) readWords(log string) words { return parseWords(readEnds(log), r.shown) }

func parseWords(log []byte, shown func(string) string) (w words) {
	lines := bufio.NewScanner(bytes.NewReader(log))
	lines.Buffer(nil, 2*maxLogPart+1)
	for lines.Scan() {
		text := clean(shown(message(lines.Bytes())))
		if text == "" {
			continue
		}
		if w.first == "" {
			w.first = text
		}
		w.last = text
	}
	return w
}

// message returns the error, or "". A line that is no record (cut
// by the bounds, or written by something else) tells nothing for certain.
func message(line []byte) string {
	var r record
	if json.Unmarshal(line, &r) != nil || !strings.EqualFold(r.Level, "error") {
		return ""
	}
	text := r.Message + r.Msg
	text, _, _ = strings.Cut(text, "\n\nStack backtrace:")
	text = strings.TrimPrefix(text, "error in executing command: ")
	if r.Err != "" {
		text += ": " + r.Err
	}
	return text
}

// readEnds reads a file, of a long one its beginning and its end.
func readEnds(path string) []byte {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	head, _ := io.ReadAll(io.LimitReader(file, maxLogPart))
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size <= maxLogPart {
		return head
	}
	begin := max(maxLogPart, size-maxLogPart)
	tail, _ := io.ReadAll(io.NewSectionReader(file, begin, maxLogPart))
	if begin > maxLogPart {
		tail = append([]byte("\n"), tail...)
	}
	return append(head, tail...)
}

// clean makes a foreign text fit for one line of a log or terminal.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.Join(strings.Fields(text), " "))
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + " …"
	}
	return text
}
