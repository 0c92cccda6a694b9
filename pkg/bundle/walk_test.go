package bundle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// describe returns one line on each entry of a tree, by other means than Copy's:
// what two trees have to have in common to be copies of each other.
func describe(t rapid.TB, root string) map[string]string {
	t.Helper()
	lines := map[string]string{}
	first := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		lines[rel] = describeEntry(t, path, rel, info, first)
		return nil
	})
	if err != nil {
		t.Fatalf("describe %s: %v", root, err)
	}
	return lines
}

func describeEntry(t rapid.TB, path, rel string, info fs.FileInfo, first map[uint64]string) string {
	t.Helper()
	stat := info.Sys().(*syscall.Stat_t)
	line := fmt.Sprintf("%o mtime %d xattrs %s", stat.Mode, info.ModTime().UnixNano(), xattrsOf(t, path, info))
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		return line + " -> " + target
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if stat.Nlink > 1 {
			if _, ok := first[stat.Ino]; !ok {
				first[stat.Ino] = rel
			}
			line += " same as " + first[stat.Ino]
		}
		return fmt.Sprintf("%s size %d sha %x", line, len(data), sha256.Sum256(data))
	}
	return line
}

func xattrsOf(t rapid.TB, path string, info fs.FileInfo) string {
	t.Helper()
	if info.Mode()&fs.ModeSymlink != 0 {
		return ""
	}
	buf := make([]byte, 4096)
	n, err := syscall.Listxattr(path, buf)
	if err == syscall.ENOTSUP {
		return ""
	}
	if err != nil {
		t.Fatalf("list xattrs of %s: %v", path, err)
	}
	var all []string
	for _, name := range bytes.Split(bytes.TrimRight(buf[:n], "\x00"), []byte{0}) {
		if bytes.HasPrefix(name, []byte("user.")) {
			value := make([]byte, 4096)
			n, err := syscall.Getxattr(path, string(name), value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%s=%q", name, value[:n]))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

func sameTree(t rapid.TB, want, got map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trees differ (-want +got):\n%s", diff)
	}
}

// onlyHolds fails unless dir holds exactly these names.
func onlyHolds(t rapid.TB, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}
