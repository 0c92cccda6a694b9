package redact

// shortestBase64 is the number of digits of the shortest value.
const shortestBase64 = (Min*8 + 5) / 6

// base64Digits knows both alphabets (RFC 4648) as one.
var base64Digits = func() (table [256]byte) {
	for i := range table {
		table[i] = other
	}
	for i, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		table[b] = byte(i)
	}
	table['-'], table['_'] = 62, 63
	table[' '], table['\t'] = space, space
	table['\n'], table['\r'] = newline, newline
	return table
}()

// base64 looks for values in base64. Four digits are three bytes, and it is not
// known with which digit the four begin, since what stands before them may be
// other text: each of the four ways is a walk.
//
// A value in the middle of what was encoded begins with any of the three bytes,
// and shares its first and last digit with what is beside it.
type base64 struct {
	run   run
	walks [4]walk // by the number of the first of the four digits
	under bool    // some walk is under way
}

func (d *base64) read(a *automaton, t stretch, found *[]span) {
	line := 0 // where it ends
	for i := 0; i < len(t.bytes); i++ {
		if d.run.digits == 0 {
			if i >= line {
				line = i + upTo(t.bytes[i:], '\n')
			}
			if i += nextRun(t.bytes[i:line], &base64Digits, newline, shortestBase64); i == line {
				i--
				continue
			}
		}
		digit := base64Digits[t.bytes[i]]
		if digit >= newline {
			d.between(a, t, i, digit)
			continue
		}
		d.run.add(t.at(i))
		bits := d.run.bits<<6 | uint32(digit)
		d.run.bits = bits
		if d.under || a.begins(uint16(bits>>4)) || a.begins(uint16(bits>>2)) || a.begins(uint16(bits)) {
			d.advance(a, t.end(i), found)
		}
	}
}

// advance is a digit more. It ends the first, second or third byte of its four
// digits, in the way that began one, two or three digits before it, and ends
// none in the fourth way.
func (d *base64) advance(a *automaton, end int64, found *[]span) {
	r, n := &d.run, d.run.digits-1
	advance(a, &d.walks[(n-1)&3], uint16(r.bits>>4), n > 2, r.back(3), r.back(1), end, found)
	advance(a, &d.walks[(n-2)&3], uint16(r.bits>>2), n > 1, r.back(2), r.back(1), end, found)
	advance(a, &d.walks[(n-3)&3], uint16(r.bits), n > 1, r.back(2), r.back(1), end, found)
	d.under = d.walks[0].node|d.walks[1].node|d.walks[2].node|d.walks[3].node != 0
}

// between: only a line break interrupts base64, and blanks after one.
func (d *base64) between(a *automaton, t stretch, i int, what byte) {
	if d.run.digits == 0 {
		return
	}
	d.run.gap++
	if what == other || d.run.gap > maxGap || what == space && d.run.gap == 1 {
		d.end()
		return
	}
	if t.breaks(i) {
		d.run.clip(t.end(i))
		for j := range d.walks {
			d.walks[j].clip(a, t.end(i))
		}
	}
}

func (d *base64) end() {
	d.run, d.under = run{}, false
	for i := range d.walks {
		d.walks[i].reset()
	}
}

func (d *base64) hold(a *automaton, end int64) int64 {
	end = d.run.hold(end)
	for i := range d.walks {
		end = d.walks[i].hold(a, end)
	}
	return end
}
