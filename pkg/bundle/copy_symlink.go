package bundle

import (
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// symlink makes the same link, wherever that leads.
func (t *tree) symlink(w *worker, p *place, name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(p.from, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return t.unopened(p.from, name, p.join(name), err)
	}
	target := w.buffer(unix.PathMax)
	n, err := unix.Readlinkat(p.from, name, target)
	if err != nil {
		return sourceError("read link", p.join(name), becameOther(err))
	}
	a, err := t.attributesOf(&st)
	if err == nil {
		err = unix.Symlinkat(string(target[:n]), p.to, name)
		step.Done("symlink-copied")
	}
	if err == nil {
		err = settleSymlink(p.to, name, &a)
	}
	if err != nil {
		return copyError("copy", p.join(name), err)
	}
	t.remember(p.directory, name, &a)
	return nil
}

// settleSymlink is settle for what cannot be opened and has no mode.
func settleSymlink(dir int, name string, a *attributes) error {
	var made unix.Stat_t
	if err := unix.Fstatat(dir, name, &made, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if a.chowns(&made) {
		if err := unix.Fchownat(dir, name, int(int32(a.uid)), int(int32(a.gid)), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	err := unix.UtimesNanoAt(dir, name, a.times[:], unix.AT_SYMLINK_NOFOLLOW)
	step.Done("entry-settled")
	return err
}
