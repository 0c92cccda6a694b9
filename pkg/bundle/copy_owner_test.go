package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// The rule, one line a case: who it was on the host, who it is in the container
// and who that is on the host.
func TestOwnersFollowTheMapping(t *testing.T) {
	o := owners{
		ids: IDMap{
			UIDs: []IDRange{{0, 1000, 1}, {1, 100000, 65535}},
			GIDs: []IDRange{{0, 1000, 1}, {1, 200000, 65535}},
		},
		source: IDMap{UIDs: []IDRange{{0, 500000, 100}, {5, 1000, 1}}, GIDs: []IDRange{{0, 500000, 100}}},
		self:   ids{1000, 1000},
	}
	for _, c := range []struct {
		name              string
		was, inside, host ids
		err               error
	}{
		{"the caller's own", ids{1000, 1000}, ids{0, 0}, ids{1000, 1000}, nil},
		{"of the packaged mapping", ids{500033, 500000}, ids{33, 0}, ids{100032, 1000}, nil},
		{"of the mapping", ids{100032, 200032}, ids{33, 33}, ids{100032, 200032}, nil},
		{"the image's own numbers", ids{33, 0}, ids{33, 0}, ids{100032, 1000}, nil},
		{"mixed", ids{0, 200000}, ids{0, 1}, ids{1000, 200000}, nil},
		{"nobody", ids{65534, 65534}, ids{65534, 65534}, ids{165533, 265533}, nil},
		{"user beyond", ids{700000, 0}, ids{}, ids{}, ErrUnmapped},
		{"group beyond", ids{0, 700000}, ids{}, ids{}, ErrUnmapped},
	} {
		inside, host, err := o.follow(c.was)
		if !errors.Is(err, c.err) || err == nil && (inside != c.inside || host != c.host) {
			t.Errorf("%s: %v inside, %v on the host, %v", c.name, inside, host, err)
		}
	}
}

// severalTree belongs to several, as an image whose server has a user does.
func severalTree(t *testing.T, source string, uid int) {
	t.Helper()
	at := func(name string) string { return filepath.Join(source, name) }
	must(t, os.MkdirAll(at("var/data"), 0o755), os.WriteFile(at("var/data/f"), []byte("x"), 0o644), os.WriteFile(at("root"), nil, 0o600),
		os.Symlink("f", at("var/data/l")), os.WriteFile(at("setgid"), nil, 0o755), os.Link(at("var/data/f"), at("linked")))
	for _, name := range []string{"var/data", "var/data/f", "var/data/l"} {
		must(t, os.Lchown(at(name), uid, uid))
	}
	must(t, os.Lchown(at("setgid"), 0, uid), unix.Chmod(at("setgid"), 0o2755), unix.Chmod(at("var/data"), 0o3700))
}

func ownersBelow(t *testing.T, root string) string {
	t.Helper()
	var all []string
	for _, name := range []string{"", "root", "setgid", "var", "var/data", "var/data/f", "var/data/l", "linked"} {
		var st unix.Stat_t
		must(t, unix.Lstat(filepath.Join(root, name), &st))
		all = append(all, fmt.Sprintf("%s %d:%d %o", name, st.Uid, st.Gid, st.Mode&0o7777))
	}
	return strings.Join(all, ", ")
}

func TestCopyForSeveralIDsAsRoot(t *testing.T) {
	testenv.NeedRoot(t)
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	must(t, os.Mkdir(source, 0o755))
	severalTree(t, source, 33)
	mapped := IDMap{UIDs: []IDRange{{0, 300000, 1000}}, GIDs: []IDRange{{0, 400000, 1000}}}
	must(t, only(Copy(context.Background(), source, dest, CopyOptions{IDs: mapped})))
	want := " 300000:400000 755, root 300000:400000 600, setgid 300000:400033 2755, var 300000:400000 755, " +
		"var/data 300033:400033 3700, var/data/f 300033:400033 644, var/data/l 300033:400033 777, linked 300033:400033 644"
	if got := ownersBelow(t, dest); got != want {
		t.Errorf("owners\n%s, want\n%s", got, want)
	}
	sameTree(t, describe(t, source), describe(t, dest))
	must(t, os.Lchown(filepath.Join(source, "var/data/l"), 5000, 0))
	_, err := Copy(context.Background(), source, filepath.Join(dir, "other"), CopyOptions{IDs: mapped})
	if !errors.Is(err, ErrUnmapped) || !strings.Contains(err.Error(), "var/data/l: its owner has no id in the container: 5000:0") {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, dir, "source", "dest")
}

// A user may give nothing away: a helper does, in a namespace with the same ids.
// The tree is one that root installed, with the image's own numbers.
func TestCopyForSeveralIDsAsUser(t *testing.T) {
	const where = "GATEWAYD_BUNDLE_FOREIGN"
	if os.Getenv(innerEnv) == "" {
		testenv.NeedRoot(t)
		source := scratch(t)
		severalTree(t, source, 33)
		must(t, os.Chmod(source, 0o755), os.Chmod(filepath.Join(source, "root"), 0o644), unix.Chmod(filepath.Join(source, "var/data"), 0o3755))
		t.Setenv(where, source)
	}
	if !asRangeUser(t) {
		return
	}
	dir, source := scratch(t), os.Getenv(where)
	o := helperOptions()
	o.IDs = rangeIDs(t)
	must(t, only(Copy(context.Background(), source, filepath.Join(dir, "dest"), o)))
	want := fmt.Sprintf(" %[1]d:%[1]d 755, root %[1]d:%[1]d 644, setgid %[1]d:300032 2755, var %[1]d:%[1]d 755, "+
		"var/data 200032:300032 3755, var/data/f 200032:300032 644, var/data/l 200032:300032 777, linked 200032:300032 644", testUID)
	if got := ownersBelow(t, filepath.Join(dir, "dest")); got != want {
		t.Errorf("owners\n%s, want\n%s", got, want)
	}
	sameTree(t, describe(t, source), describe(t, filepath.Join(dir, "dest")))
	must(t, Remove(context.Background(), dir, "dest", RemoveOptions{IDs: o.IDs, Helper: o.Helper}))
	onlyHolds(t, dir)
	o.Helper = nil // nobody to give it away: an error, and nothing is left
	if err := only(Copy(context.Background(), source, filepath.Join(dir, "dest"), o)); err == nil {
		t.Error("owners were forgotten")
	}
	onlyHolds(t, dir)
}

// What is given away is what a helper is asked to give, in the namespace: here
// it is root's own work, with the same code.
func TestGiveFollowsNoLink(t *testing.T) {
	testenv.NeedRoot(t)
	dir := scratch(t)
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755), os.WriteFile(filepath.Join(dir, "outside"), nil, 0o600),
		os.Symlink("../outside", filepath.Join(dir, "d/link")), os.WriteFile(filepath.Join(dir, "d/f"), nil, 0o600))
	done, err := giveInside(context.Background(), giveWork{filepath.Join(dir, "d"), []handing{{"f", 5, 6, 0o6711}, {"link", 5, 6, 0o777}, {".", 5, 6, 0o755}}})
	must(t, err)
	var link, file, outside unix.Stat_t
	must(t, unix.Lstat(filepath.Join(dir, "d/link"), &link), unix.Lstat(filepath.Join(dir, "d/f"), &file), unix.Lstat(filepath.Join(dir, "outside"), &outside))
	if done.Done != 3 || link.Uid != 5 || file.Gid != 6 || file.Mode&0o7777 != 0o6711 || outside.Uid != 0 {
		t.Errorf("done %d, link %d, file %d %o, outside %d", done.Done, link.Uid, file.Gid, file.Mode, outside.Uid)
	}
	if _, err := giveInside(context.Background(), giveWork{dir, []handing{{"../x", 5, 6, 0}}}); !errors.Is(err, unix.EXDEV) {
		t.Errorf("error %v", err)
	}
}

// In a namespace what is not mapped looks like its nobody, and is not given to
// that one; what a package's own mapping says holds there as well.
func TestOwnersSeenInANamespace(t *testing.T) {
	mapped := IDMap{[]IDRange{{0, 1000, 1}, {1, 100000, 65536}}, []IDRange{{0, 1000, 1}, {1, 100000, 65536}}}
	packaged := IDMap{[]IDRange{{50, 100000, 10}}, []IDRange{{50, 100000, 10}}}
	for _, c := range []struct {
		source IDMap
		was    ids
		want   ids
		err    error
	}{
		{IDMap{}, ids{0, 0}, ids{0, 0}, nil},
		{IDMap{}, ids{33, 34}, ids{33, 34}, nil},
		{IDMap{}, ids{overflowID, 0}, ids{}, ErrUnmapped},
		{IDMap{}, ids{0, overflowID}, ids{}, ErrUnmapped},
		{packaged, ids{3, 3}, ids{52, 52}, nil}, // host 100002 is 52 in the package
		{packaged, ids{0, 3}, ids{0, 52}, nil},
	} {
		o := ownersOf(CopyOptions{IDs: mapped, SourceIDs: c.source}, true)
		var a attributes
		if err := o.own(&a, c.was); !errors.Is(err, c.err) || err == nil && (ids{a.uid, a.gid}) != c.want {
			t.Errorf("%v by %v is %d:%d, %v; want %v, %v", c.was, c.source, a.uid, a.gid, err, c.want, c.err)
		}
	}
}
