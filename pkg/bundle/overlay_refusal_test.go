package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

func TestOverlayRefusal(t *testing.T) {
	own := Owner{UID: 1001, GID: 1002, Path: ".", Closed: "secret"}
	mapped := Owner{UID: 100100, GID: 100100, Path: "var/cache"}
	root := Owner{Path: "usr/bin/su"}
	group := Owner{UID: 1001, GID: 42, Path: "etc", Closed: "etc/shadow"}
	single := SingleID(1001, 1002)
	several := IDMap{UIDs: []IDRange{{0, 1001, 1}, {1, 100000, 65536}}, GIDs: []IDRange{{0, 1002, 1}, {1, 100000, 65536}}}
	for _, c := range []struct {
		owners   []Owner
		special  []string
		ids      IDMap
		readOnly bool
		want     string
	}{
		{[]Owner{own}, nil, single, false, ""},
		{nil, nil, single, false, ""},
		{[]Owner{own, mapped}, nil, several, false, ""},
		{[]Owner{own, mapped}, nil, single, false, "var/cache belongs to 100100:100100, where container root could not write"},
		{[]Owner{own, mapped}, nil, single, true, ""},
		{[]Owner{root, own}, nil, single, false, "usr/bin/su belongs to 0:0, where container root could not write"},
		{[]Owner{{Path: "."}, own}, nil, single, false, "/opt/web belongs to 0:0, where container root could not write"},
		{[]Owner{root, own}, nil, several, true, ""},
		{[]Owner{root, own, group}, nil, several, true, "etc/shadow belongs to 1001:42, and container root could not read it"},
		{[]Owner{group}, nil, single, false, "etc belongs to 1001:42, where container root could not write"},
		{[]Owner{own}, []string{"run/fifo", "run/socket"}, single, true, "run/fifo is a FIFO, socket or device"},
	} {
		s := &Survey{Owners: c.owners, Special: Paths{Count: len(c.special), First: c.special}}
		err := s.OverlayRefusal("/opt/web", c.ids, c.readOnly)
		if got := text(err); got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
	for _, source := range []string{"", "web", "/a\x00b"} {
		if (&Survey{}).OverlayRefusal(source, single, true) == nil {
			t.Errorf("%q was taken", source)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The dirs are mounts of the test's own namespace. ramfs stands for all that
// keep no user attributes.
func TestCheckUpper(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"ram", "overlay", "tmpfs"} {
		must(t, os.Mkdir(at(name), 0o755))
	}
	if err := unix.Mount("tmpfs", at("tmpfs"), "tmpfs", 0, ""); err != nil {
		testenv.Skip(t, fmt.Sprintf("needs to mount a tmpfs in a user namespace: %v", err))
	}
	must(t, unix.Mount("ramfs", at("ram"), "ramfs", 0, ""),
		os.Mkdir(at("tmpfs/upper"), 0o755), os.Mkdir(at("tmpfs/work"), 0o755), os.Mkdir(at("tmpfs/lower"), 0o755),
		unix.Mount("overlay", at("overlay"), "overlay", 0, fmt.Sprintf("userxattr,lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", at("tmpfs"))))
	defer func() {
		must(t, unix.Unmount(at("overlay"), 0), unix.Unmount(at("ram"), 0), unix.Unmount(at("tmpfs"), unix.MNT_DETACH))
	}()
	for path, want := range map[string]string{
		at("tmpfs"):   "",
		at("overlay"): at("overlay") + " lies on an overlay itself",
		at("ram"):     at("ram") + " keeps no user attributes",
	} {
		before, err := os.ReadDir(path)
		must(t, err)
		if got := text(CheckUpper(path)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if after, _ := os.ReadDir(path); len(after) != len(before) {
			t.Errorf("%s: the probe is left", path)
		}
	}
	if err := CheckUpper(at("gone")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if err := CheckUpper(at(strings.Repeat("l", 180))); err == nil || !strings.Contains(err.Error(), "cannot be named in a mount") {
		t.Errorf("error %v", err)
	}
}
