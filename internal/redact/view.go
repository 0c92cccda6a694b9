package redact

import "bytes"

// view reads the text with one kind of escape decoded. Before the first escape it
// would find what the text's own reader finds, and soon after the last one again:
// it rests then.
type view struct {
	begin  byte // of an escape
	decode decode
	awake  bool
	reader reader
	token  []byte // of an escape that may not be complete
	at     int64  // where it begins
}

// read is to come before the same is read by raw. No escape begins in text but
// with its first byte.
func (v *view) read(a *automaton, text []byte, at int64, raw *reader, found *[]span) {
	if !v.awake {
		if text[0] != v.begin {
			return
		}
		v.awake = true
		v.reader.copy(raw)
	}
	for i, b := range text {
		if len(v.token) == 0 && b != v.begin {
			v.reader.read(a, literal(text[i:], at+int64(i)), found)
			return
		}
		if len(v.token) == 0 {
			v.at = at + int64(i)
		}
		v.token = append(v.token, b)
		v.take(a, found)
	}
}

// take reads what is complete of the token.
func (v *view) take(a *automaton, found *[]span) {
	for len(v.token) > 0 {
		decoded, used, more := v.decode(v.token)
		if more {
			return
		}
		t := stretch{decoded, v.at, 0, int64(used)}
		if decoded == nil {
			used += plainLength(v.token[1:], v.begin)
			t = literal(v.token[:used], v.at)
		}
		v.reader.read(a, t, found)
		v.token, v.at = append(v.token[:0], v.token[used:]...), v.at+int64(used)
		if decoded != nil && len(v.token) > 0 && v.token[0] != v.begin {
			n := plainLength(v.token, v.begin)
			v.reader.read(a, literal(v.token[:n], v.at), found)
			v.token, v.at = append(v.token[:0], v.token[n:]...), v.at+int64(n)
		}
	}
}

func plainLength(text []byte, begin byte) int {
	if i := bytes.IndexByte(text, begin); i >= 0 {
		return i
	}
	return len(text)
}

// due is 1 where the view is awake, or text wakes it.
func (v *view) due(text []byte) int {
	if v.awake || text[0] == v.begin {
		return 1
	}
	return 0
}

// rest is to come after raw has read the same.
func (v *view) rest(raw *reader) {
	if v.awake && len(v.token) == 0 && v.reader.same(raw) {
		v.awake = false
	}
}

func (v *view) hold(a *automaton, end int64) int64 {
	if !v.awake {
		return end
	}
	if len(v.token) > 0 {
		end = min(end, v.at)
	}
	return v.reader.hold(a, end)
}
