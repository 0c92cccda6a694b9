package bundle

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A gift is an entry of a copy that has to belong to another id of the user.
type gift struct {
	dir    *directory
	name   string // in dir; empty: dir itself
	inside ids
	mode   uint32
}

func (g gift) path() string {
	if g.name == "" {
		return g.dir.path()
	}
	return g.dir.join(g.name)
}

// remember notes what is to be given away when the whole copy is there: before,
// we could not look into such a directory nor link such a file any more.
func (t *tree) remember(dir *directory, name string, a *attributes) {
	if !a.give {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gifts = append(t.gifts, gift{dir, name, a.inside, a.mode})
}

// maxGifts bounds what a helper is told at a time.
const maxGifts = 1 << 16

// giveAway has the entries given away by root of a user namespace, which owns
// both ids of each.
func (t *tree) giveAway(dir string) error {
	for len(t.gifts) > 0 {
		n := min(len(t.gifts), maxGifts)
		work := giveWork{Dir: dir}
		for _, g := range t.gifts[:n] {
			work.Gifts = append(work.Gifts, handing{g.path(), g.inside.uid, g.inside.gid, g.mode})
		}
		if _, err := inNamespace[given](t.ctx, t.Helper, t.IDs, "give", work); err != nil {
			return err
		}
		t.gifts = t.gifts[n:]
	}
	return nil
}

// A giveWork is what a helper has to give away below Dir.
type giveWork struct {
	Dir   string
	Gifts []handing
}

// handing is who an entry shall belong to, by the ids of the container. The mode
// comes with it because chown(2) clears set-ID bits.
type handing struct {
	Path     string
	UID, GID uint32
	Mode     uint32
}

// given counts what was done.
type given struct{ Done int }

func giveInside(ctx context.Context, work giveWork) (given, error) {
	var done given
	dir, err := os.OpenFile(work.Dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return done, err
	}
	defer dir.Close()
	for _, g := range work.Gifts {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		if err := g.give(int(dir.Fd())); err != nil {
			return done, copyError("chown", g.Path, err)
		}
		done.Done++
	}
	return done, nil
}

// give opens the entry first: neither chown nor chmod then meets another one.
func (g handing) give(dir int) error {
	fd, err := openAt(dir, g.Path, unix.O_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fchownat(fd, "", int(g.UID), int(g.GID), unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	if g.Mode&(unix.S_ISUID|unix.S_ISGID) == 0 {
		return nil
	}
	// fchmod(2) refuses a descriptor of O_PATH, its entry in /proc does not.
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), g.Mode)
}
