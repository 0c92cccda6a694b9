package bundle

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"
)

// A tally counts what a survey tells besides the digest. Each task has its own
// and merges it when it ends; which one that is makes no difference to the sum.
type tally struct {
	entries, bytes, read int64
	owners               []Owner
	special, setuid      Paths
	newest               int64  // the latest ctime, if it is later than what is settled,
	newestPath           string // and the first with it
}

// count takes in the entry name of the directory dir.
func (t *tally) count(dir *examinedDir, name string, s *sighting) {
	t.entries++
	t.own(dir, name, s)
	switch s.kind() {
	case unix.S_IFREG:
		if s.mode&unix.S_ISUID != 0 {
			t.setuid.add(dir.path(name))
		}
	case unix.S_IFDIR, unix.S_IFLNK:
	default:
		t.special.add(dir.path(name))
	}
	t.date(dir, name, s)
}

func (t *tally) date(dir *examinedDir, name string, s *sighting) {
	if s.ctime > t.newest {
		t.newest, t.newestPath = s.ctime, dir.path(name)
	}
}

// own takes in whom an entry belongs to. Within one task names come sorted, so
// that the path is made only where an owner is met for the first time.
func (t *tally) own(dir *examinedDir, name string, s *sighting) {
	o := t.owner(s.uid, s.gid)
	if o == nil {
		t.owners = append(t.owners, Owner{UID: s.uid, GID: s.gid, Path: dir.path(name)})
		o = &t.owners[len(t.owners)-1]
	}
	if o.Closed == "" && closedToOthers(s.mode) {
		o.Closed = dir.path(name)
	}
}

// owner finds one of the few that a tree has. The last one met is mostly it.
func (t *tally) owner(uid, gid uint32) *Owner {
	for i := len(t.owners) - 1; i >= 0; i-- {
		if o := &t.owners[i]; o.UID == uid && o.GID == gid {
			return o
		}
	}
	return nil
}

func closedToOthers(mode uint32) bool {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return mode&0o4 == 0
	case unix.S_IFDIR:
		return mode&0o5 != 0o5
	}
	return false
}

func (t *tally) merge(o *tally) {
	t.entries += o.entries
	t.bytes += o.bytes
	t.read += o.read
	t.special.merge(o.special)
	t.setuid.merge(o.setuid)
	if o.newest > t.newest || o.newest == t.newest && o.newestPath < t.newestPath {
		t.newest, t.newestPath = o.newest, o.newestPath
	}
	for _, owner := range o.owners {
		if mine := t.owner(owner.UID, owner.GID); mine != nil {
			mine.Path, mine.Closed = min(mine.Path, owner.Path), firstOf(mine.Closed, owner.Closed)
		} else {
			t.owners = append(t.owners, owner)
		}
	}
}

// firstOf is the first of two paths of which either may be none.
func firstOf(a, b string) string {
	if a == "" || b == "" {
		return max(a, b)
	}
	return min(a, b)
}

func sortOwners(owners []Owner) []Owner {
	slices.SortFunc(owners, func(a, b Owner) int {
		return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(a.GID, b.GID))
	})
	return owners
}
