package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRemoveAnyMode(t *testing.T) {
	if !asUser(t) {
		return
	}
	for _, mode := range []fs.FileMode{0, 0o100, 0o200, 0o400, 0o500, 0o600, 0o077} {
		t.Run(fmt.Sprintf("%04o", mode), func(t *testing.T) {
			dir := scratch(t)
			at := func(name string) string { return filepath.Join(dir, "tree", name) }
			must(t, os.MkdirAll(at("a/b/c"), 0o755), os.MkdirAll(at("a/empty"), 0o755), os.WriteFile(at("a/b/f"), nil, 0))
			for _, name := range []string{"a/b/c", "a/empty", "a/b", "a", "."} {
				must(t, os.Chmod(at(name), mode))
			}
			if err := Remove(context.Background(), dir, "tree", RemoveOptions{}); err != nil {
				t.Error(err)
			}
			onlyHolds(t, dir)
		})
	}
}

func TestRemoveIsIdempotent(t *testing.T) {
	dir := scratch(t)
	must(t, os.Mkdir(filepath.Join(dir, "tree"), 0o755))
	for range 3 {
		must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
	}
	must(t, Remove(context.Background(), filepath.Join(dir, "gone"), "tree", RemoveOptions{}))
}

func TestRemoveWantsAName(t *testing.T) {
	dir := scratch(t)
	must(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	for _, name := range []string{"", ".", "..", "a/b", "/", "a/", "a\x00"} {
		if Remove(context.Background(), dir, name, RemoveOptions{}) == nil {
			t.Errorf("%q was taken", name)
		}
	}
	must(t, Remove(context.Background(), filepath.Join(dir, "a"), "b", RemoveOptions{})) // was never touched
}

func TestRemoveOfOtherKinds(t *testing.T) {
	dir := scratch(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.MkdirAll(at("kept/inner"), 0o700), os.Chmod(at("kept"), 0o500), os.Symlink(at("kept"), at("link")), os.Symlink("gone", at("dangling")),
		os.WriteFile(at("file"), nil, 0), unix.Mkfifo(at("fifo"), 0))
	for _, name := range []string{"link", "dangling", "file", "fifo"} {
		must(t, Remove(context.Background(), dir, name, RemoveOptions{}))
	}
	onlyHolds(t, dir, "kept")
	onlyHolds(t, at("kept"), "inner")
}

// The links of a tree lead everywhere; what they lead to stays as it is.
func TestRemoveFollowsNoLink(t *testing.T) {
	dir := scratch(t)
	outside := filepath.Join(dir, "outside")
	must(t, os.MkdirAll(filepath.Join(outside, "d"), 0o755), os.WriteFile(filepath.Join(outside, "d/f"), []byte("x"), 0o600))
	must(t, os.Chmod(outside, 0o500))
	before := describe(t, outside)
	tree := filepath.Join(dir, "tree")
	must(t, os.MkdirAll(filepath.Join(tree, "a"), 0o755))
	for i, target := range []string{outside, "../outside", "../../outside/d", "..", "/", "."} {
		must(t, os.Symlink(target, filepath.Join(tree, fmt.Sprint(i))), os.Symlink(target, filepath.Join(tree, "a", fmt.Sprint(i))))
	}
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
	sameTree(t, before, describe(t, outside))
}

// Deeper than a path can name, with a handful of descriptors.
func TestRemoveOfAnyDepth(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	must(t, os.Mkdir(filepath.Join(dir, "tree"), 0o755))
	deep(t, filepath.Join(dir, "tree"), "deep", 5000)
	leaveDescriptors(t, maxOpenDirs+8)
	if err := Remove(context.Background(), dir, "tree", RemoveOptions{}); err != nil {
		t.Error(err)
	}
	onlyHolds(t, dir)
}

func TestRemoveGoesOnAndNamesWhatIsLeft(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	at := func(name string) string { return filepath.Join(dir, "tree", name) }
	aside := func(name string) string { return filepath.Join(dir, asideName("tree"), name) }
	must(t, os.MkdirAll(at("a/mnt"), 0o755), os.MkdirAll(at("b/c"), 0o755), os.MkdirAll(at("z/mnt"), 0o755))
	for _, mount := range []string{"a/mnt", "z/mnt"} {
		must(t, unix.Mount("tmpfs", at(mount), "tmpfs", 0, ""), os.WriteFile(at(mount+"/kept"), nil, 0o600))
		t.Cleanup(func() { must(t, unix.Unmount(aside(mount), unix.MNT_DETACH)) })
	}
	outside := filepath.Join(dir, "outside")
	must(t, os.MkdirAll(outside+"/kept", 0o755), os.MkdirAll(at("b/bind"), 0o755), unix.Mount(outside, at("b/bind"), "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(aside("b/bind"), unix.MNT_DETACH)) })
	must(t, os.WriteFile(at("b/c/bound"), nil, 0o600), os.WriteFile(at("b/f"), nil, 0o600),
		unix.Mount(at("b/f"), at("b/c/bound"), "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(aside("b/c/bound"), unix.MNT_DETACH)) })

	err := Remove(context.Background(), dir, "tree", RemoveOptions{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, left := range []string{"a/mnt: something is mounted", "z/mnt: something is mounted", "b/bind: something is mounted", "b/c/bound: something is mounted"} {
		if !strings.Contains(err.Error(), at(left)) {
			t.Errorf("%q does not name %s", err, left)
		}
	}
	if strings.Count(err.Error(), "\n") != 3 || !strings.HasPrefix(err.Error(), "left in "+aside("")+": remove "+at("a/mnt")) {
		t.Errorf("more errors than causes: %q", err)
	}
	onlyHolds(t, aside("."), "a", "b", "z")
	onlyHolds(t, aside("b"), "bind", "c")
	onlyHolds(t, outside, "kept")
	onlyHolds(t, aside("a/mnt"), "kept")
}

func TestRemoveBoundsItsErrors(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	must(t, os.Mkdir(filepath.Join(dir, "tree"), 0o755))
	for i := range maxErrors + 5 {
		path := filepath.Join(dir, "tree", fmt.Sprint(i))
		must(t, os.Mkdir(path, 0o755), unix.Mount("tmpfs", path, "tmpfs", 0, ""))
		t.Cleanup(func() { must(t, unix.Unmount(filepath.Join(dir, asideName("tree"), fmt.Sprint(i)), unix.MNT_DETACH)) })
	}
	err := Remove(context.Background(), dir, "tree", RemoveOptions{})
	if err == nil || !strings.Contains(err.Error(), "and 5 errors more") {
		t.Errorf("error %v", err)
	}
}

func TestRemoveStopsWithItsContext(t *testing.T) {
	dir := scratch(t)
	must(t, os.Mkdir(filepath.Join(dir, "tree"), 0o755))
	for i := range 20 {
		must(t, os.WriteFile(filepath.Join(dir, "tree", fmt.Sprint(i)), nil, 0o600))
	}
	if err := Remove(countTo(10), dir, "tree", RemoveOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	left, err := os.ReadDir(filepath.Join(dir, asideName("tree")))
	must(t, err)
	if len(left) == 0 || len(left) == 20 {
		t.Errorf("%d of 20 left", len(left))
	}
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
}

// What a copy leaves that was killed half-way is known by its name, is in
// nobody's way, and goes like anything else.
func TestCrashLeftoverIsFoundAndRemoved(t *testing.T) {
	dir := scratch(t)
	source, leftover := filepath.Join(dir, "source"), stagingName("dest")
	must(t, os.Mkdir(source, 0o755))
	hostileTree(t, source)
	parent, err := os.Open(dir)
	must(t, err)
	defer parent.Close()
	if _, err := copyTree(countTo(20), source, parent, leftover, CopyOptions{}, ownersOf(CopyOptions{}, false)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	must(t, only(Copy(context.Background(), source, filepath.Join(dir, "dest"), CopyOptions{})))
	onlyHolds(t, dir, "source", "dest", leftover)
	if !strings.HasPrefix(leftover, StagingPrefix) {
		t.Errorf("name %q", leftover)
	}
	must(t, Remove(context.Background(), dir, leftover, RemoveOptions{}))
	onlyHolds(t, dir, "source", "dest")
}

// The moment that the race above seldom meets: the entry was a directory when
// it was looked at, and is a link when it is opened.
func TestOpenToRemoveFollowsNoLink(t *testing.T) {
	dir := scratch(t)
	must(t, os.Mkdir(filepath.Join(dir, "outside"), 0o500), os.Symlink("outside", filepath.Join(dir, "link")))
	parent, err := os.Open(dir)
	must(t, err)
	defer parent.Close()
	link := &branch{parent: &branch{fd: int(parent.Fd())}, name: "link"}
	if fd, err := link.open(); err == nil {
		t.Errorf("the link was followed to %d", fd)
	}
	info, err := os.Stat(filepath.Join(dir, "outside"))
	must(t, err)
	if info.Mode().Perm() != 0o500 {
		t.Errorf("mode %v", info.Mode())
	}
}
