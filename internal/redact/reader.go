package redact

// stretch is bytes of which it is known where in the text they stand: those of a
// text as it is one after the other, those of an escape all at its place.
type stretch struct {
	bytes         []byte
	from          int64
	stride, width int64
}

func literal(bytes []byte, from int64) stretch { return stretch{bytes, from, 1, 1} }

func (t stretch) at(i int) int64 { return t.from + int64(i)*t.stride }

func (t stretch) end(i int) int64 { return t.at(i) + t.width }

// breaks tells whether byte i ends a line of the text, where an escape ends none.
func (t stretch) breaks(i int) bool { return t.bytes[i] == '\n' && t.stride > 0 }

// reader looks for values in bytes as they are and in what they encode.
type reader struct {
	plain  plain
	hex    hex
	base64 base64
}

func (r *reader) read(a *automaton, t stretch, found *[]span) {
	r.plain.read(a, t, found)
	r.hex.read(a, t, found)
	r.base64.read(a, t, found)
}

// hold is the place from which on something may be part of a value.
func (r *reader) hold(a *automaton, end int64) int64 {
	return min(r.plain.hold(a, end), r.hex.hold(a, end), r.base64.hold(a, end))
}

// cut adds the beginnings of values at the end of the text.
func (r *reader) cut(a *automaton, end int64, found *[]span) {
	r.plain.walk.cut(a, end, found)
	for i := range r.hex.walks {
		r.hex.walks[i].cut(a, end, found)
	}
	for i := range r.base64.walks {
		r.base64.walks[i].cut(a, end, found)
	}
}

func (r *reader) copy(from *reader) {
	r.plain.last, r.hex.run, r.base64.run = from.plain.last, from.hex.run, from.base64.run
	r.base64.under = from.base64.under
	r.plain.walk.copy(&from.plain.walk)
	for i := range r.hex.walks {
		r.hex.walks[i].copy(&from.hex.walks[i])
	}
	for i := range r.base64.walks {
		r.base64.walks[i].copy(&from.base64.walks[i])
	}
}

// same tells whether both find the same from here on. It may say no.
func (r *reader) same(as *reader) bool {
	return r.plain.last == as.plain.last && r.hex.run == as.hex.run && r.base64.run == as.base64.run && r.idle() && as.idle()
}

func (r *reader) idle() bool {
	under := r.plain.walk.node
	for i := range r.hex.walks {
		under |= r.hex.walks[i].node
	}
	for i := range r.base64.walks {
		under |= r.base64.walks[i].node
	}
	return under == 0
}

// plain looks for values as they are.
type plain struct {
	last last
	walk walk
}

// last is what was read before.
type last struct {
	pair uint16
	any  bool
	at   int64
}

func (p *plain) read(a *automaton, t stretch, found *[]span) {
	pair := p.last.pair
	for i := 0; i < len(t.bytes); i++ {
		b := t.bytes[i]
		if p.walk.node != 0 {
			pair = pair<<8 | uint16(b)
			p.walk.next(a, b, t.at(i))
			p.walk.match(a, t.end(i), found)
			continue
		}
		if i, pair = a.skip(t.bytes, i, pair); i == len(t.bytes) {
			break
		}
		switch {
		case i+1 < len(t.bytes) && !a.goesOn(pair, t.bytes[i+1]):
		case i > 0:
			p.walk.enter(a, pair, t.at(i-1), t.at(i))
		case p.last.any:
			p.walk.enter(a, pair, p.last.at, t.at(0))
		}
	}
	if n := len(t.bytes); n > 0 {
		p.last = last{pair, true, t.at(n - 1)}
	}
}

// skip goes on from a place to the second byte of what may be a beginning: most
// of all text is passed over here. pair is the two bytes before the place, and
// then those that end there.
func (a *automaton) skip(text []byte, from int, pair uint16) (int, uint16) {
	for i, b := range text[from:] {
		if pair = pair<<8 | uint16(b); a.pairs[pair>>6]&(1<<(pair&63)) != 0 {
			return from + i, pair
		}
	}
	return len(text), pair
}

func (p *plain) hold(a *automaton, end int64) int64 {
	if p.last.any && a.first[p.last.pair&0xff] {
		end = min(end, p.last.at)
	}
	return p.walk.hold(a, end)
}
