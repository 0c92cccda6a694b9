package bundle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// A random tree is copied, is equal by other eyes, and goes without a trace.
func TestCopyAndRemoveOfAnyTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "bundle-property-")
		must(rt, err)
		defer os.RemoveAll(dir)
		source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
		must(rt, os.Mkdir(source, 0o755))
		grow(rt, source)
		want := describe(rt, source)
		must(rt, only(Copy(context.Background(), source, dest, CopyOptions{KeepSetuid: true})))
		sameTree(rt, want, describe(rt, dest))
		sameTree(rt, want, describe(rt, source))
		must(rt, Remove(context.Background(), dir, "source", RemoveOptions{}), Remove(context.Background(), dir, "dest", RemoveOptions{}))
		onlyHolds(rt, dir)
	})
}

// names are few, so that directories are entered and files linked.
var names = rapid.OneOf(rapid.SampledFrom([]string{"a", "b", ".c", "-d", "e\n", "\xff", strings.Repeat("n", 255)}),
	rapid.StringMatching(`[^/\x00.]{1,8}`))

// grow adds entries to the tree root. Directories keep their owner's rights, so
// that describe can look into them when the test is not run by root.
func grow(t *rapid.T, root string) {
	dirs, files := []string{root}, []string{}
	for range rapid.IntRange(0, 25).Draw(t, "entries") {
		path := filepath.Join(rapid.SampledFrom(dirs).Draw(t, "dir"), names.Draw(t, "name"))
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
		case kind == 0:
			must(t, os.Mkdir(path, 0o700))
			dirs = append(dirs, path)
		case kind == 1:
			must(t, os.Symlink(rapid.StringMatching(`[^\x00]{1,20}`).Draw(t, "target"), path))
		case kind == 2 && len(files) > 0:
			must(t, os.Link(rapid.SampledFrom(files).Draw(t, "file"), path))
		default:
			growFile(t, path)
			files = append(files, path)
		}
	}
	dress(t, append(files, dirs...))
}

func growFile(t *rapid.T, path string) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	must(t, err)
	for range rapid.IntRange(0, 3).Draw(t, "extents") {
		_, err := file.WriteAt(rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "data"), int64(rapid.IntRange(0, 200_000).Draw(t, "offset")))
		must(t, err)
	}
	must(t, file.Close())
}

// dress gives attributes, to the deepest first: a new entry changes a time.
func dress(t *rapid.T, paths []string) {
	for i := len(paths) - 1; i >= 0; i-- {
		for n := range rapid.IntRange(0, 2).Draw(t, "xattrs") {
			must(t, unix.Setxattr(paths[i], fmt.Sprintf("user.%d", n), rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "value"), 0))
		}
		must(t, unix.Chmod(paths[i], 0o600|uint32(rapid.IntRange(0, 0o7777).Draw(t, "mode"))))
		if info, _ := os.Lstat(paths[i]); info.IsDir() {
			must(t, unix.Chmod(paths[i], 0o700|uint32(info.Mode().Perm())))
		}
		when := time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		must(t, os.Chtimes(paths[i], when, when))
	}
}
