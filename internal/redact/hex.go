package redact

// What a byte is in a run of digits, besides a digit.
const (
	other   = 0xff - iota // ends it
	space                 // blank, or what separates numbers
	newline               // a line break
)

// shortestHex is the number of digits of the shortest value.
const shortestHex = 2 * Min

var hexDigits = func() (table [256]byte) {
	for i := range table {
		table[i] = other
	}
	for i, b := range []byte("0123456789abcdef") {
		table[b] = byte(i)
	}
	for i, b := range []byte("ABCDEF") {
		table[b] = byte(10 + i)
	}
	for _, b := range []byte(" \t:") {
		table[b] = space
	}
	table['\n'], table['\r'] = newline, newline
	return table
}()

// hex looks for values in hexadecimal. It is not known with which digit a byte
// begins: the even ones and the odd ones have a walk each.
type hex struct {
	run   run
	walks [2]walk
}

func (h *hex) read(a *automaton, t stretch, found *[]span) {
	for i := 0; i < len(t.bytes); i++ {
		if h.run.digits == 0 {
			if i += nextRun(t.bytes[i:], &hexDigits, space, shortestHex); i == len(t.bytes) {
				return
			}
		}
		digit := hexDigits[t.bytes[i]]
		if digit >= newline {
			h.between(a, t, i, digit)
			continue
		}
		r := &h.run
		r.add(t.at(i))
		r.bits = r.bits<<4 | uint32(digit)
		w := &h.walks[r.digits&1]
		if w.node != 0 || a.begins(uint16(r.bits)) {
			advance(a, w, uint16(r.bits), r.digits > 3, r.back(3), r.back(1), t.end(i), found)
		}
	}
}

func (h *hex) between(a *automaton, t stretch, i int, what byte) {
	if h.run.digits == 0 {
		return
	}
	if h.run.gap++; what == other || h.run.gap > maxGap {
		h.end()
		return
	}
	if t.breaks(i) {
		h.run.clip(t.end(i))
		for j := range h.walks {
			h.walks[j].clip(a, t.end(i))
		}
	}
}

func (h *hex) end() {
	h.run = run{}
	for i := range h.walks {
		h.walks[i].reset()
	}
}

func (h *hex) hold(a *automaton, end int64) int64 {
	end = h.run.hold(end)
	for i := range h.walks {
		end = h.walks[i].hold(a, end)
	}
	return end
}
