package bundle

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// copyEntries copies what is in p, but not what is in its subdirectories.
func (t *tree) copyEntries(w *worker, p *place) {
	for !t.stopped() {
		more, err := t.list(w, p)
		if err != nil {
			t.fail(err)
			return
		}
		shelved := more && t.shelve(w, p)
		t.copyDirectories(w, p, w.entries)
		t.copyOthers(w, p, w.entries)
		if !more || shelved {
			return
		}
	}
}

// list reads the next of p's entries into w.entries. It reads on at once, since
// only that tells whether there are more.
func (t *tree) list(w *worker, p *place) (more bool, err error) {
	buf := w.buffer(listSize)
	w.entries, err = list(p.from, buf, w.entries[:0])
	first := len(w.entries)
	if err == nil && first > 0 {
		w.entries, err = list(p.from, buf, w.entries)
	}
	if err != nil {
		return false, sourceError("list", p.path(), becameOther(err))
	}
	if err := t.nameKinds(p, w.entries); err != nil {
		return false, err
	}
	return len(w.entries) > first, nil
}

// nameKinds asks for the kinds that the file system did not tell.
func (t *tree) nameKinds(p *place, entries []entry) error {
	for i, e := range entries {
		if e.kind != unix.DT_UNKNOWN {
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstatat(p.from, e.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return t.unopened(p.from, e.name, p.join(e.name), err)
		}
		entries[i].kind = uint8(st.Mode & unix.S_IFMT >> 12) // DT_… is S_IF… >> 12
	}
	return nil
}

// shelve puts the rest of a long listing off until the directories listed so far
// are copied: 100,000 directories below one are then never known at once.
func (t *tree) shelve(w *worker, p *place) bool {
	if !slices.ContainsFunc(w.entries, entry.isDirectory) {
		return false
	}
	if t.shelved.Add(1) > maxShelved {
		t.shelved.Add(-1)
		return false
	}
	t.share(w, p, func(w *worker) {
		t.shelved.Add(-1)
		t.copyEntries(w, p)
	})
	return true
}

func (e entry) isDirectory() bool { return e.kind == unix.DT_DIR }

// copyDirectories comes first, to have something for idle workers.
func (t *tree) copyDirectories(w *worker, p *place, entries []entry) {
	for _, e := range entries {
		if !e.isDirectory() {
			continue
		}
		if t.stopped() {
			return
		}
		err := t.countEntry()
		if err == nil {
			err = unix.Mkdirat(p.to, e.name, 0o700)
		}
		if err != nil {
			t.fail(copyError("make", p.join(e.name), err))
			return
		}
		step.Done("directory-copied")
		p.pending.Add(1)
		w.crew.add(t.enter(newDirectory(p.directory, e.name)))
	}
}

// copyOthers cuts off a half of what it has left while another worker has
// nothing to do.
func (t *tree) copyOthers(w *worker, p *place, entries []entry) {
	for i := 0; i < len(entries) && !t.stopped(); i++ {
		if middle := (i + len(entries)) / 2; middle-i >= cutAbove && w.crew.hungry() {
			theirs := slices.Clone(entries[middle:])
			entries = entries[:middle]
			t.share(w, p, func(w *worker) { t.copyOthers(w, p, theirs) })
		}
		if err := t.copyOther(w, p, entries[i]); err != nil {
			t.fail(err)
			return
		}
	}
}

func (t *tree) copyOther(w *worker, p *place, e entry) error {
	if e.isDirectory() {
		return nil
	}
	if e.kind != unix.DT_REG && e.kind != unix.DT_LNK && t.SkipSpecial {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.skipped.add(p.join(e.name))
		return nil
	}
	if err := t.countEntry(); err != nil {
		return copyError("copy", p.join(e.name), err)
	}
	switch e.kind {
	case unix.DT_REG:
		return t.file(w, p, e.name)
	case unix.DT_LNK:
		return t.symlink(w, p, e.name)
	}
	return copyError("copy", p.join(e.name), fmt.Errorf("%s: %w", kindOf(uint32(e.kind)<<12), ErrSpecialFile))
}
