package redact

// maxGap is how many bytes may stand between two digits: a line break and what
// indents the next line, or what separates numbers.
const maxGap = 24

// run is a sequence of digits of 4 or 6 bits, the bits of the last ones, and where
// they stand.
type run struct {
	digits int // so far; 0: there is none
	bits   uint32
	at     [4]int64 // of the last four, by their number
	gap    int      // bytes since the last one
}

func (r *run) add(at int64) {
	r.at[r.digits&3] = at
	r.digits++
	r.gap = 0
}

// back is where the digit n before the last one stands.
func (r *run) back(n int) int64 { return r.at[(r.digits-1-n)&3] }

// hold is where a value may begin of which no two bytes are there: a byte of which
// all digits are there, and the first digit of another.
func (r *run) hold(end int64) int64 {
	if r.digits == 0 {
		return end
	}
	return min(end, r.back(min(r.digits-1, 2)))
}

// clip is for the end of a line: see the walk's.
func (r *run) clip(place int64) {
	for i := range r.at {
		r.at[i] = place
	}
}

// advance is a byte more, the second of the pair. enough: the digits of both are
// there.
func advance(a *automaton, w *walk, pair uint16, enough bool, first, second, end int64, found *[]span) {
	switch {
	case w.node != 0:
		w.next(a, byte(pair), second)
		w.match(a, end, found)
	case enough && a.begins(pair):
		w.enter(a, pair, first, second)
	}
}

// nextRun returns where the next run may begin that is long enough to hold a value,
// or that goes to the end of text and may go on. It looks at few bytes: where a
// run cannot reach one that is n further, it cannot begin before that. Bytes up to
// last are those of a run.
func nextRun(text []byte, class *[256]byte, last byte, n int) int {
	from := 0
	for from+n <= len(text) {
		at := from + n - 1
		for at >= from && class[text[at]] <= last {
			at--
		}
		if at < from {
			return from
		}
		from = at + 1
	}
	end := len(text)
	for end > from && class[text[end-1]] <= last {
		end--
	}
	return end
}
