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
	owners               map[[2]uint32]*Owner
	special, setuid      Paths
	newest               int64  // the latest ctime, in nanoseconds,
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
	if s.ctime > t.newest {
		t.newest, t.newestPath = s.ctime, dir.path(name)
	}
}

// own takes in whom an entry belongs to. Within one task names come sorted, so
// that the path is made only where an owner is met for the first time.
func (t *tally) own(dir *examinedDir, name string, s *sighting) {
	key := [2]uint32{s.uid, s.gid}
	o := t.owners[key]
	if o == nil {
		if t.owners == nil {
			t.owners = map[[2]uint32]*Owner{}
		}
		o = &Owner{UID: s.uid, GID: s.gid, Path: dir.path(name)}
		t.owners[key] = o
	}
	if o.Closed == "" && closedToOthers(s.mode) {
		o.Closed = dir.path(name)
	}
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
	for key, owner := range o.owners {
		if mine := t.owners[key]; mine != nil {
			mine.Path, mine.Closed = min(mine.Path, owner.Path), firstOf(mine.Closed, owner.Closed)
		} else {
			t.owners[key] = owner
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

// sortedOwners are all that were met.
func (t *tally) sortedOwners() []Owner {
	owners := make([]Owner, 0, len(t.owners))
	for _, o := range t.owners {
		owners = append(owners, *o)
	}
	slices.SortFunc(owners, func(a, b Owner) int {
		return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(a.GID, b.GID))
	})
	return owners
}
