package listen

import (
	"maps"
	"os"
	"slices"
	"sync"
)

// Keeper keeps sockets beyond the end of this process: systemd's fd store.
type Keeper interface {
	// Keep stores a socket by a name; it duplicates what it needs of it.
	Keep(name string, socket *os.File) error
	// Drop forgets all sockets by a name.
	Drop(name string) error
}

// Sockets are those that this process was given when it started, by name: by systemd from
// its fd store and from socket units, or by an earlier image. Nil has none.
type Sockets struct {
	mu    sync.Mutex
	files map[string][]*os.File
}

// NewSockets takes the sockets over.
func NewSockets(files map[string][]*os.File) *Sockets {
	return &Sockets{files: maps.Clone(files)}
}

// take gives away what there is by a name.
func (s *Sockets) take(name string) []*os.File {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer delete(s.files, name)
	return s.files[name]
}

// giveBack returns a socket that belongs to a socket unit, so that it can be taken again.
func (s *Sockets) giveBack(name string, f *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[string][]*os.File{}
	}
	s.files[name] = append(s.files[name], f)
}

// Rest are the names that nobody has taken.
func (s *Sockets) Rest() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.files))
}

// CloseRest closes what nobody has taken, and returns its names: they are to be dropped
// from the fd store.
func (s *Sockets) CloseRest() []string {
	rest := s.Rest()
	for _, name := range rest {
		for _, f := range s.take(name) {
			f.Close()
		}
	}
	return rest
}
