package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

func ownIDs() IDMap { return SingleID(os.Getuid(), os.Getgid()) }

func TestMakeOverlay(t *testing.T) {
	dir := scratch(t)
	defer syscall.Umask(syscall.Umask(0o277))
	lower, when := filepath.Join(dir, "lower"), time.Unix(1234567890, 5)
	must(t, os.Mkdir(lower, 0o755), os.Chmod(lower, 0o755))
	must(t, unix.Setxattr(lower, "user.note", []byte("kept"), 0), unix.Setxattr(lower, "user.overlay.opaque", []byte("y"), 0),
		os.WriteFile(filepath.Join(lower, "file"), nil, 0o644), unix.Chmod(lower, 0o3551), os.Chtimes(lower, when, when))
	o, err := MakeOverlay(filepath.Join(dir, "web")+"/", lower, ownIDs())
	must(t, err)
	onlyHolds(t, dir, "lower", "web")
	want := Overlay{Lower: lower, Link: dir + "/web/lower", Upper: dir + "/web/upper", Work: dir + "/web/work", Root: dir + "/web/root"}
	if o != want {
		t.Errorf("%+v, want %+v", o, want)
	}
	for path, mode := range map[string]uint32{dir + "/web": 0o700, o.Work: 0o700, o.Root: 0o700, o.Upper: 0o3551} {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil || st.Mode != unix.S_IFDIR|mode || int(st.Uid) != os.Getuid() || int(st.Gid) != os.Getgid() {
			t.Errorf("%s: mode %o, owner %d:%d, %v", path, st.Mode, st.Uid, st.Gid, err)
		}
	}
	info, err := os.Stat(o.Upper)
	must(t, err)
	if !info.ModTime().Equal(when) || xattrsOf(t, o.Upper, info) != `user.note="kept"` {
		t.Errorf("upper: time %v, attributes %s", info.ModTime(), xattrsOf(t, o.Upper, info))
	}
	if target, err := os.Readlink(o.Link); target != lower {
		t.Errorf("link to %q, %v", target, err)
	}
}

func TestMakeOverlayErrors(t *testing.T) {
	dir := scratch(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Mkdir(at("lower"), 0o755), os.WriteFile(at("file"), nil, 0o644), os.Mkdir(at("taken"), 0o755))
	for name, c := range map[string]struct {
		dir, lower string
		ids        IDMap
		want       error
	}{
		"taken":            {at("taken"), at("lower"), ownIDs(), fs.ErrExist},
		"no parent":        {at("gone/web"), at("lower"), ownIDs(), fs.ErrNotExist},
		"no lower":         {at("web"), at("gone"), ownIDs(), fs.ErrNotExist},
		"file":             {at("web"), at("file"), ownIDs(), unix.ENOTDIR},
		"relative":         {at("web"), "lower", ownIDs(), nil},
		"relative dir":     {"web", at("lower"), ownIDs(), nil},
		"unmapped":         {at("web"), at("lower"), IDMap{}, nil},
		"not UTF-8":        {at("\xff"), at("lower"), ownIDs(), nil},
		"too long":         {at(strings.Repeat("l", 240)), at("lower"), ownIDs(), nil},
		"too long escaped": {at(strings.Repeat(",", 120)), at("lower"), ownIDs(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := MakeOverlay(c.dir, c.lower, c.ids)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || o != (Overlay{}) {
				t.Errorf("%+v, error %v, want %v", o, err, c.want)
			}
			onlyHolds(t, dir, "lower", "file", "taken")
		})
	}
}

// As root everything belongs to the container's 0:0, and to nobody else.
func TestMakeOverlayGivesItAway(t *testing.T) {
	testenv.NeedRoot(t)
	dir := scratch(t)
	o, err := MakeOverlay(filepath.Join(dir, "web"), "/usr", IDMap{UIDs: []IDRange{{0, 7000, 10}}, GIDs: []IDRange{{0, 8000, 1}, {1, 9000, 5}}})
	must(t, err)
	for _, path := range []string{dir + "/web", o.Upper, o.Work, o.Root} {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil || st.Uid != 7000 || st.Gid != 8000 {
			t.Errorf("%s: owner %d:%d, %v", path, st.Uid, st.Gid, err)
		}
	}
}
