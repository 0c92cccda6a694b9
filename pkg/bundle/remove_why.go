package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// explain adds why the entry name of dir stays, or dir itself for "", where
// that can be told: for the user the number alone is a riddle.
func explain(dir int, name string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("something is mounted there: %w", err)
	case errors.Is(err, unix.ENOTEMPTY):
		return fmt.Errorf("something goes on making entries in it: %w", err)
	case !errors.Is(err, fs.ErrPermission):
		return err
	}
	// Its own reasons come before those of the directory that it is in.
	own, parent := lookAt(dir, name), lookAt(dir, "")
	for _, why := range []string{locked("", own), locked("its directory ", parent), foreign("", own), foreign("its directory ", parent)} {
		if why != "" {
			return fmt.Errorf("%s: %w", why, err)
		}
	}
	return err
}

// lookAt is nil for what cannot be seen. It opens nothing, as FS_IOC_GETFLAGS
// for the same attributes would want: what lies there may be a device.
func lookAt(dir int, name string) *unix.Statx_t {
	var st unix.Statx_t
	const flags = unix.AT_EMPTY_PATH | unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	if unix.Statx(dir, name, flags, unix.STATX_BASIC_STATS, &st) != nil {
		return nil
	}
	return &st
}

func locked(what string, st *unix.Statx_t) string {
	switch {
	case st == nil:
	case st.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		return what + "is immutable (chattr -i)"
	case st.Attributes&unix.STATX_ATTR_APPEND != 0:
		return what + "is append-only (chattr -a)"
	}
	return ""
}

func foreign(what string, st *unix.Statx_t) string {
	if st == nil || int(st.Uid) == os.Geteuid() {
		return ""
	}
	if st.Uid == overflowID {
		return what + "belongs to nobody, or to a uid that is not mapped"
	}
	return fmt.Sprintf("%sbelongs to uid %d", what, st.Uid)
}
