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
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

func examineNow(t rapid.TB, source string, o SurveyOptions) *Survey {
	t.Helper()
	s, err := Examine(context.Background(), source, o)
	must(t, err)
	return s
}

// smallTree is a tree of which everything that a digest tells is fixed.
func smallTree(t *testing.T, root string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(root, name) }
	must(t,
		os.MkdirAll(at("d/e"), 0o755), os.WriteFile(at("d/file"), []byte("content\n"), 0o644),
		os.WriteFile(at("d-"), nil, 0o600), os.WriteFile(at("\xff"), []byte("x"), 0o600),
		os.Symlink("d/file", at("link")), unix.Mkfifo(at("fifo"), 0o600),
		unix.Mknod(at("socket"), unix.S_IFSOCK|0o600, 0),
		unix.Chmod(at("d-"), 0o4711), unix.Chmod(at("\xff"), 0o640), unix.Chmod(at("fifo"), 0o644), unix.Chmod(at("socket"), 0o777),
		unix.Chmod(at("d/file"), 0o644), unix.Chmod(at("d/e"), 0o1777), unix.Chmod(at("d"), 0o2755), unix.Chmod(root, 0o755),
	)
}

// It must not change: people have pinned theirs.
func TestDigestStaysWhatItIs(t *testing.T) {
	source := filepath.Join(scratch(t), "source")
	smallTree(t, source)
	const want = "sha256:f00c12f6fc0c3187c255c8caae9a8864cb35cd5971f34ed75b28c0ed2877f322"
	if s := examineNow(t, source, SurveyOptions{}); s.Digest != want {
		t.Errorf("digest %s, want %s", s.Digest, want)
	}
	if s := digestOf(t, source); s != want {
		t.Errorf("by its documentation the digest is %s, want %s", s, want)
	}
}

func TestDigestIsAsDocumented(t *testing.T) {
	source := filepath.Join(scratch(t), "source")
	must(t, os.Mkdir(source, 0o755))
	hostileTree(t, source)
	want := digestOf(t, source)
	for workers := range 5 {
		if s := examineNow(t, source, SurveyOptions{Workers: workers}); s.Digest != want {
			t.Errorf("%d workers: %s, want %s", workers, s.Digest, want)
		}
	}
}

// Any tree has the digest that the documentation says, with a cache and without
// one, and so has its copy.
func TestDigestOfAnyTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "bundle-digest-")
		must(rt, err)
		defer os.RemoveAll(dir)
		source, dest, cache := filepath.Join(dir, "source"), filepath.Join(dir, "dest"), filepath.Join(dir, "cache")
		must(rt, os.Mkdir(source, 0o755))
		grow(rt, source)
		want := digestOf(rt, source)
		must(rt, only(Copy(context.Background(), source, dest, CopyOptions{KeepSetuid: true})))
		for _, o := range []SurveyOptions{{}, {Cache: cache}, {Cache: cache}, {Cache: cache, Content: ContentAll, Workers: 7}} {
			for _, tree := range []string{source, dest} {
				if s := examineLater(rt, tree, o); s.Digest != want {
					rt.Fatalf("digest %s of %s with %+v, want %s", s.Digest, tree, o, want)
				}
			}
		}
	})
}

func TestDigestOfDevices(t *testing.T) {
	testenv.NeedRoot(t)
	source := scratch(t)
	seen := map[string]bool{}
	for _, device := range []struct{ kind, major, minor uint32 }{{unix.S_IFCHR, 1, 3}, {unix.S_IFBLK, 1, 3}, {unix.S_IFCHR, 3, 1}} {
		path := filepath.Join(source, "device")
		err := unix.Mknod(path, device.kind|0o600, int(unix.Mkdev(device.major, device.minor)))
		if errors.Is(err, fs.ErrPermission) {
			testenv.Skip(t, "no devices may be made here: run it outside of user namespaces")
		}
		must(t, err)
		s := examineNow(t, source, SurveyOptions{})
		if seen[s.Digest] || s.Digest != digestOf(t, source) {
			t.Errorf("digest %s of %v", s.Digest, device)
		}
		seen[s.Digest] = true
		must(t, os.Remove(path))
	}
}

// What is told of a tree: the same, whoever is first.
func TestSurveyTells(t *testing.T) {
	source := filepath.Join(scratch(t), "source")
	smallTree(t, source)
	at := func(name string) string { return filepath.Join(source, name) }
	must(t, os.WriteFile(at("d/linked"), []byte("four"), 0o600), os.Link(at("d/linked"), at("d/e/linked")), os.Link(at("d/linked"), at("0")))
	for i := range 20 {
		must(t, unix.Mkfifo(at(fmt.Sprintf("d/e/fifo%02d", 19-i)), 0o600))
	}
	for workers := 1; workers < 6; workers++ {
		s := examineNow(t, source, SurveyOptions{Workers: workers})
		if s.Entries != 31 || s.Bytes != 13 || s.Read != 13 || s.CacheError != "" {
			t.Errorf("%d entries, %d bytes, %d read, cache %q", s.Entries, s.Bytes, s.Read, s.CacheError)
		}
		if got := fmt.Sprint(s.Setuid, s.Special); got != "{1 [d-]} {22 [d/e/fifo00 d/e/fifo01 d/e/fifo02 d/e/fifo03 d/e/fifo04 d/e/fifo05 d/e/fifo06 d/e/fifo07]}" {
			t.Errorf("set-user-ID and special: %s", got)
		}
		want := Owner{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Path: ".", Closed: "0"}
		if len(s.Owners) != 1 || s.Owners[0] != want {
			t.Errorf("owners %v, want %v", s.Owners, want)
		}
	}
}

func TestSurveyTellsOfOwners(t *testing.T) {
	testenv.NeedRoot(t)
	source := filepath.Join(scratch(t), "source")
	at := func(name string) string { return filepath.Join(source, name) }
	must(t, os.MkdirAll(at("b/c"), 0o755), os.Mkdir(at("z"), 0o755))
	for i, name := range []string{"b/c/2", "b/c/1", "z/0", "a"} {
		must(t, os.WriteFile(at(name), nil, 0o644), unix.Chmod(at(name), 0o644-4*uint32(i%2)), os.Lchown(at(name), 7, 8))
	}
	must(t, os.Symlink("closed", at("b/link")), os.Lchown(at("b/link"), 7, 9), os.Lchown(at("b"), 9, 1), os.Lchown(at("z"), 9, 1), os.Chmod(at("z"), 0o754))
	want := []Owner{{0, 0, ".", ""}, {7, 8, "a", "a"}, {7, 9, "b/link", ""}, {9, 1, "b", "z"}}
	for workers := 1; workers < 6; workers++ {
		if s := examineNow(t, source, SurveyOptions{Workers: workers}); fmt.Sprint(s.Owners) != fmt.Sprint(want) {
			t.Errorf("owners %v, want %v", s.Owners, want)
		}
	}
}

func TestPathsAreTheSameInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfNDistinct(rapid.StringMatching("[a-c]{1,4}"), 0, 30, rapid.ID).Draw(t, "paths")
		var one, left, right Paths
		for i, path := range all {
			one.add(path)
			if i%3 == 0 {
				left.add(path)
			} else {
				right.add(path)
			}
		}
		right.merge(left)
		if fmt.Sprint(one) != fmt.Sprint(right) || one.Count != len(all) || len(one.First) != min(len(all), 8) {
			t.Fatalf("%v and %v of %q", one, right, all)
		}
		for _, path := range all {
			if n := len(one.First); n == 8 && path < one.First[n-1] && !strings.Contains(strings.Join(one.First, " ")+" ", path+" ") {
				t.Fatalf("%q is missing in %q", path, one.First)
			}
		}
	})
}

func TestExamineOfNothing(t *testing.T) {
	dir := scratch(t)
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for name, want := range map[string]error{"gone": fs.ErrNotExist, "file": unix.ENOTDIR} {
		_, err := Examine(context.Background(), filepath.Join(dir, name), SurveyOptions{})
		if !errors.Is(err, want) || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v", err)
		}
	}
}

// examineLater is a survey at a time when nothing in the tree is new any more.
func examineLater(t rapid.TB, source string, o SurveyOptions) *Survey {
	t.Helper()
	s, err := examine(context.Background(), time.Now().Add(time.Hour), source, o)
	must(t, err)
	return s
}
