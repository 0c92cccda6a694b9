package listen

import (
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
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

// giveBack returns sockets of a socket unit, so that they can be taken again.
func (s *Sockets) giveBack(name string, files ...*os.File) {
	if s == nil || len(files) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[string][]*os.File{}
	}
	s.files[name] = append(s.files[name], files...)
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

// Lent are those of the Rest that belong to socket units: they stay, for who asks later.
func (s *Sockets) Lent() []string {
	return slices.DeleteFunc(s.Rest(), func(name string) bool { return strings.HasPrefix(name, keyPrefix) })
}

// CloseRest gives up the addresses that were kept and that nobody has taken, and returns
// the names of their sockets: they are to be dropped from the fd store, whose copies
// listen no more either.
func (s *Sockets) CloseRest() (closed []string) {
	for _, name := range s.Rest() {
		if !strings.HasPrefix(name, keyPrefix) {
			continue
		}
		for _, f := range s.take(name) {
			if fd, err := adopt(f); err == nil {
				_ = unix.Shutdown(fd, unix.SHUT_RDWR) // one that does not listen is as good
				step.Done("kept-socket-shut")
				if at, err := boundTo(fd); err == nil {
					_ = unlinkOf(fd, at.path) // a path that stays is cleared by who listens there next
				}
				unix.Close(fd)
			}
		}
		closed = append(closed, name)
	}
	return closed
}

// Files are copies of what nobody has taken, by name.
func (s *Sockets) Files() (map[string][]*os.File, error) {
	copies := map[string][]*os.File{}
	if s == nil {
		return copies, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, files := range s.files {
		for _, f := range files {
			c, err := copyOf(f)
			if err != nil {
				closeFiles(copies)
				return nil, err
			}
			copies[name] = append(copies[name], c)
		}
	}
	return copies, nil
}

func closeFiles(all map[string][]*os.File) {
	for _, files := range all {
		for _, f := range files {
			f.Close()
		}
	}
}
