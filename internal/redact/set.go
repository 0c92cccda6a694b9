package redact

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// Min is the length of the shortest value that is redacted, in bytes. Shorter
	// ones would be found in words and numbers that have nothing to do with them.
	Min = 6
	// minLine is the same for a line of a value: lines are not chosen to be hard
	// to guess, and "password: x" in another place says nothing.
	minLine = 16
	// keep is how many values of one name are known: an earlier one is still in
	// the memory of launches, and in what is on its way to the journal.
	keep = 16
)

// Set is the values that must not be shown. The zero Set is empty and ready for
// use, also by many goroutines. A nil *Set has no values and takes none.
type Set struct {
	mu     sync.Mutex
	values []Value // the newest last
	built  atomic.Pointer[automaton]
}

// Value is one value of a secret, as Values hands it to another image.
type Value struct {
	Name string `json:"name"`
	Text []byte `json:"text"`
}

// Fits tells whether a value can be told from other text: it has Min bytes or more
// without the blanks around it, several blanks or "+" counted as one.
func Fits(value []byte) bool { return len(normal(value)) >= Min }

// Add has a value redacted from now on, in streams that have begun too. name is
// shown in its place. The last 16 values of a name are known. It returns false
// for one that does not fit, which is not redacted. The value is copied.
func (s *Set) Add(name string, value []byte) bool {
	if s == nil || !Fits(value) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	same := func(v Value) bool { return v.Name == name && bytes.Equal(v.Text, value) }
	if i := slices.IndexFunc(s.values, same); i >= 0 {
		v := s.values[i] // it is in use, so the newest
		s.values = append(slices.Delete(s.values, i, i+1), v)
		return true
	}
	s.values = append(s.values, Value{name, bytes.Clone(value)})
	s.forget(name)
	s.built.Store(nil)
	return true
}

// forget drops the oldest value of a name that has too many.
func (s *Set) forget(name string) {
	of := func(v Value) bool { return v.Name == name }
	n := 0
	for _, v := range s.values {
		if of(v) {
			n++
		}
	}
	if n > keep {
		i := slices.IndexFunc(s.values, of)
		clear(s.values[i].Text)
		s.values = slices.Delete(s.values, i, i+1)
	}
}

// Values are all that there are, for another image of this process.
func (s *Set) Values() []Value {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.values)
}

// automaton returns nil where there is nothing to look for.
func (s *Set) automaton() *automaton {
	if s == nil {
		return nil
	}
	a := s.built.Load()
	if a == nil {
		a = s.build()
	}
	if len(a.nodes) == 1 {
		return nil
	}
	return a
}

// build comes with the first use after an Add, not with each of many.
func (s *Set) build() *automaton {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := newAutomaton()
	for _, v := range s.values {
		name := a.name(v.Name)
		a.insert(normal(v.Text), name)
		for _, line := range lines(v.Text) {
			a.insert(line, name)
		}
	}
	a.link()
	a.choose()
	s.built.Store(a)
	return a
}

// lines are those of a value that count by themselves: whoever logs a key line
// by line puts something before each. The frame of a key is no secret.
func lines(value []byte) (all [][]byte) {
	if !bytes.Contains(bytes.Trim(value, blanks), []byte("\n")) {
		return nil
	}
	for line := range bytes.Lines(value) {
		line = normal(line)
		if len(line) >= minLine && !bytes.HasPrefix(line, []byte("-----")) {
			all = append(all, line)
		}
	}
	return all
}

// String returns text without the values. It is given a text as a whole: an
// incomplete value at its end is no value.
func (s *Set) String(text string) string {
	a := s.automaton()
	if a == nil || len(text) < Min {
		return text
	}
	found := search(a, []byte(text))
	if len(found) == 0 {
		return text
	}
	var b strings.Builder
	replace([]byte(text), found, func(piece []byte) { b.Write(piece) })
	return b.String()
}

// Bytes is String for bytes. It returns text itself where nothing is found.
func (s *Set) Bytes(text []byte) []byte {
	a := s.automaton()
	if a == nil || len(text) < Min {
		return text
	}
	found := search(a, text)
	if len(found) == 0 {
		return text
	}
	var b []byte
	replace(text, found, func(piece []byte) { b = append(b, piece...) })
	return b
}

// Error returns err with a text without the values. errors.Is and errors.As see
// what they saw before.
func (s *Set) Error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if shown := s.String(text); shown != text {
		return redacted{err, shown}
	}
	return err
}

type redacted struct {
	error
	text string
}

func (r redacted) Error() string { return r.text }

func (r redacted) Unwrap() error { return r.error }
