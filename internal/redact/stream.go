package redact

import "io"

// maxHeld bounds what a Stream holds back. A value of 64 KiB has less in every
// form in which each byte takes up to six.
const maxHeld = 512 << 10

// Stream is a text that comes in pieces. What it emits does not depend on where
// they are cut. It is not for several goroutines at once.
type Stream struct {
	set  *Set
	emit func([]byte)

	a      *automaton // that read what is held
	search *searcher
	held   []byte
	from   int64 // where held begins, of all that was written
	found  []span
}

// Stream returns a Stream that hands what may be shown to emit, which must not
// keep it.
func (s *Set) Stream(emit func([]byte)) *Stream { return &Stream{set: s, emit: emit} }

// Write takes the next piece and emits what can be no part of a value. It keeps
// nothing of text.
func (s *Stream) Write(text []byte) {
	if a := s.set.automaton(); a != s.a {
		s.begin(a)
	}
	if s.a == nil {
		s.show(text)
		return
	}
	at := s.from + int64(len(s.held))
	end := at + int64(len(text))
	s.search.read(s.a, text, at)
	s.found, s.search.found = append(s.found, s.search.found...), s.search.found[:0]
	hold := max(s.search.hold(s.a, end), end-maxHeld, s.from)
	if len(s.held) == 0 && len(s.found) == 0 { // the usual case is not copied
		s.show(text[:hold-at])
		s.held, s.from = append(s.held, text[hold-at:]...), hold
		return
	}
	s.held = append(s.held, text...)
	s.release(hold)
}

// begin goes on with other values. What is held may hold one of the new.
func (s *Stream) begin(a *automaton) {
	s.a, s.search = a, nil
	if a == nil {
		s.Flush()
		return
	}
	s.search = newSearcher()
	s.search.read(a, s.held, s.from)
}

// release emits what is held, up to a place.
func (s *Stream) release(to int64) {
	order(s.found)
	at := s.from
	for len(s.found) > 0 {
		next, others := join(s.found)
		if next.to > to {
			to = max(at, min(to, next.from)) // more of it may come
			break
		}
		if next.to > at { // else it was let go
			next.from = max(next.from, at)
			s.show(s.held[at-s.from : next.from-s.from])
			s.show(next.mark)
			at = next.to
		}
		s.found = others
	}
	s.show(s.held[at-s.from : to-s.from])
	s.drop(int(to - s.from))
}

// drop forgets what was emitted. What remains is moved only where it is less than
// that, and a buffer that was needed once is given back.
func (s *Stream) drop(n int) {
	rest := s.held[n:]
	switch {
	case len(rest) == 0 && cap(s.held) > 64<<10:
		s.held = nil
	case len(rest) <= n:
		s.held = append(s.held[:0], rest...)
	default:
		s.held = rest
	}
	s.from += int64(n)
}

func (s *Stream) show(text []byte) {
	if len(text) > 0 {
		s.emit(text)
	}
}

// Flush emits what is held: the text ends here, or is interrupted for long. The
// beginning of a value, of which the program did not come to write the rest, is
// hidden from its sixth byte on, and so is all of it.
func (s *Stream) Flush() {
	if s.a != nil {
		end := s.from + int64(len(s.held))
		s.search.cut(s.a, end)
		s.found, s.search.found = append(s.found, s.search.found...), nil
		s.release(end)
		s.search = newSearcher()
		return
	}
	s.show(s.held)
	s.drop(len(s.held))
}

// Held is what may be the beginning of a value and is not emitted. It is the
// Stream's, to be written to the one of another image.
func (s *Stream) Held() []byte { return s.held }

// Head reads until n bytes can be shown, and returns what can.
func (s *Set) Head(r io.Reader, n int) []byte {
	var head []byte
	stream := s.Stream(func(text []byte) { head = append(head, text...) })
	piece := make([]byte, n)
	for read := 0; len(head) < n && read < n+maxHeld; {
		m, err := r.Read(piece[:n-len(head)])
		stream.Write(piece[:m])
		if read += m; err != nil {
			stream.Flush()
			break
		}
	}
	return head[:min(len(head), n)]
}
