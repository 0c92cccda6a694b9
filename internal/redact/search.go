package redact

import (
	"bytes"
	"cmp"
	"slices"
)

// searcher looks for values in a text that comes in pieces.
type searcher struct {
	raw   reader
	views [2]view
	found []span
}

func newSearcher() *searcher {
	s := &searcher{}
	s.views[0].begin, s.views[0].decode = '\\', backslash
	s.views[1].begin, s.views[1].decode = '%', percent
	return s
}

// search finds all values in text.
func search(a *automaton, text []byte) []span {
	s := newSearcher()
	s.read(a, text, 0)
	return s.found
}

// read goes on with a piece that begins at a place.
func (s *searcher) read(a *automaton, piece []byte, at int64) {
	for len(piece) > 0 {
		part := piece[:upTo(piece, '\\')]
		piece = piece[len(part):]
		for len(part) > 0 {
			n := upTo(part, '%')
			s.part(a, part[:n], at)
			part, at = part[n:], at+int64(n)
		}
	}
}

// upTo is the length of what comes before the next b, at least 1.
func upTo(text []byte, b byte) int {
	if i := bytes.IndexByte(text[1:], b); i >= 0 {
		return i + 1
	}
	return len(text)
}

// nap is how often a view that is awake may go to rest, in bytes.
const nap = 16

// part has no escape but at its beginning.
func (s *searcher) part(a *automaton, text []byte, at int64) {
	for len(text) > nap && s.views[0].due(text)+s.views[1].due(text) > 0 {
		s.bit(a, text[:nap], at)
		text, at = text[nap:], at+nap
	}
	s.bit(a, text, at)
}

func (s *searcher) bit(a *automaton, text []byte, at int64) {
	for i := range s.views {
		s.views[i].read(a, text, at, &s.raw, &s.found)
	}
	s.raw.read(a, literal(text, at), &s.found)
	for i := range s.views {
		s.views[i].rest(&s.raw)
	}
}

// hold is the place from which on something may be part of a value.
func (s *searcher) hold(a *automaton, end int64) int64 {
	return min(s.raw.hold(a, end), s.views[0].hold(a, end), s.views[1].hold(a, end))
}

// cut finds the beginnings of values at the end of the text.
func (s *searcher) cut(a *automaton, end int64) {
	s.raw.cut(a, end, &s.found)
	for i := range s.views {
		if s.views[i].awake {
			s.views[i].reader.cut(a, end, &s.found)
		}
	}
}

// order makes the order in which values were found the same, however the text was
// cut: by their place, of several at one the longest first.
func order(found []span) {
	slices.SortFunc(found, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to), bytes.Compare(a.mark, b.mark))
	})
}

// join returns the first of found with all that overlap it, as one, and the others.
// What is whole gives it its mark, where there is any.
func join(found []span) (span, []span) {
	first := found[0]
	for found = found[1:]; len(found) > 0 && found[0].from < first.to; found = found[1:] {
		first.to = max(first.to, found[0].to)
		if bytes.Equal(first.mark, begun) {
			first.mark = found[0].mark
		}
	}
	return first, found
}

// replace emits text with a mark in the place of each of found.
func replace(text []byte, found []span, emit func([]byte)) {
	order(found)
	at := int64(0)
	for len(found) > 0 {
		var s span
		s, found = join(found)
		emit(text[at:s.from])
		emit(s.mark)
		at = s.to
	}
	emit(text[at:])
}
