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

func (r *run) add(digit byte, bits uint, at int64) {
	r.at[r.digits&3] = at
	r.bits = r.bits<<bits | uint32(digit)
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
