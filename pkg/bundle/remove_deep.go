package bundle

import (
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// maxPlaces bounds what is remembered of moved directories. The others are
// named by where they are now.
const maxPlaces = 1024

// upper is about directories that lie too deep and are moved up into the top
// one, from where they are removed in further rounds. The top directory lists
// them then: a list of them in memory would have no bound.
type upper struct {
	now  string // begins the names of what is moved in this round, which the next one is for
	last string // begins those that this round is for; "": it is for everything else

	mu     sync.Mutex
	moved  int               // in this round
	places map[string]string // by new name, where it was
}

func newUpper() upper {
	return upper{now: RemovingPrefix + random() + ".", places: make(map[string]string)}
}

// moveUp renames b to the top, open to us for that: a rename that changes a
// directory's parent writes into the directory, too.
func (e *eraser) moveUp(b *branch) {
	b.widen()
	b.away = true
	u := &e.upper
	u.mu.Lock()
	defer u.mu.Unlock()
	name := u.now + strconv.Itoa(u.moved)
	err := unix.Renameat2(b.parent.fd, b.name, e.top.fd, name, unix.RENAME_NOREPLACE)
	step.Done("directory-moved-up")
	if err != nil {
		e.fail("remove", b, "", err)
		b.parent.failed.Store(true)
		return
	}
	u.moved++
	if len(u.places) < maxPlaces {
		u.places[name] = b.path("")
	}
}

// next begins another round if there is anything for it. Nobody works in the
// top directory by then.
func (u *upper) next() bool {
	if u.moved == 0 {
		u.last = ""
		return false
	}
	u.last, u.now = u.now, RemovingPrefix+random()+"."
	u.moved = 0
	return true
}

// skips reports whether this round is not for the name in the top directory.
func (u *upper) skips(name string) bool {
	return strings.HasPrefix(name, u.now) || !strings.HasPrefix(name, u.last)
}

// cameFrom is "" for what was not moved, or is not remembered.
func (u *upper) cameFrom(name string) string {
	if !strings.HasPrefix(name, RemovingPrefix) {
		return ""
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	place := u.places[name]
	delete(u.places, name)
	return place
}
