package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// Few descriptors are too few or enough: whichever, nothing is left. No depth
// and no breadth needs more.
func TestCopyWithFewDescriptors(t *testing.T) {
	if os.Getenv(innerEnv) == "" {
		rerun(t, &syscall.SysProcAttr{})
		return
	}
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	must(t, os.Mkdir(source, 0o755))
	wideTree(t, source)
	want := describe(t, source)
	var all unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &all))
	for more := uint64(0); more < 200; more += 3 {
		limited := unix.Rlimit{Cur: 4 + more, Max: all.Max}
		must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limited))
		err := only(Copy(context.Background(), source, filepath.Join(dir, "dest"), CopyOptions{Workers: 2}))
		must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &all))
		if err == nil {
			t.Logf("%d descriptors were enough", limited.Cur)
			sameTree(t, want, describe(t, filepath.Join(dir, "dest")))
			if limited.Cur > 64 {
				t.Errorf("%d descriptors were needed", limited.Cur)
			}
			return
		}
		if !errors.Is(err, unix.EMFILE) {
			t.Fatal(err)
		}
		onlyHolds(t, dir, "source")
	}
	t.Error("200 descriptors were not enough")
}

// wideTree has directories with more subdirectories than a listing holds, below
// each other, and more files in one than a worker takes.
func wideTree(t *testing.T, root string) {
	t.Helper()
	for range 2 {
		for i := range 500 {
			must(t, os.Mkdir(filepath.Join(root, fmt.Sprintf("%0200d", i)), 0o755))
		}
		for i := range 500 {
			must(t, os.WriteFile(filepath.Join(root, fmt.Sprintf("f%0200d", i)), []byte("x"), 0o644))
		}
		root = filepath.Join(root, strings.Repeat("0", 197)+"499")
	}
	for range 15 {
		root = filepath.Join(root, "deeper")
		must(t, os.Mkdir(root, 0o755), os.WriteFile(filepath.Join(root, "f"), nil, 0o644))
	}
}

// Links between places whose paths are longer than any call takes.
func TestCopyLinksWhatNoPathCanName(t *testing.T) {
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	must(t, os.MkdirAll(filepath.Join(source, "a"), 0o755), os.Mkdir(filepath.Join(source, "b"), 0o755))
	deep(t, filepath.Join(source, "a"), strings.Repeat("d", 250), 40)
	deep(t, filepath.Join(source, "b"), strings.Repeat("d", 250), 40)
	t.Cleanup(func() {
		must(t, Remove(context.Background(), dir, "source", RemoveOptions{}), Remove(context.Background(), dir, "dest", RemoveOptions{}))
	})
	file := strings.Repeat(strings.Repeat("d", 250)+"/", 40)
	relinkDeep(t, source, "a/"+file, "b/"+file)
	must(t, only(Copy(context.Background(), source, dest, CopyOptions{})))
	one, other := statDeep(t, dest, "a/"+file+"file"), statDeep(t, dest, "b/"+file+"linked")
	if one.Ino != other.Ino || one.Nlink != 2 {
		t.Errorf("inode %d with %d names, and %d", one.Ino, one.Nlink, other.Ino)
	}
}

func relinkDeep(t *testing.T, root, from, to string) {
	t.Helper()
	dirs := [2]int{}
	for i, path := range []string{from, to} {
		dirs[i] = openDeep(t, root, path)
		defer unix.Close(dirs[i])
	}
	must(t, unix.Linkat(dirs[0], "file", dirs[1], "linked", 0))
}

// openDeep goes name by name.
func openDeep(t *testing.T, root, path string) int {
	t.Helper()
	fd, err := unix.Open(root, unix.O_PATH|unix.O_CLOEXEC, 0)
	must(t, err)
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		next, err := unix.Openat(fd, name, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		must(t, err, unix.Close(fd))
		fd = next
	}
	return fd
}

func statDeep(t *testing.T, root, path string) (st unix.Stat_t) {
	t.Helper()
	fd := openDeep(t, root, path)
	must(t, unix.Fstat(fd, &st), unix.Close(fd))
	return st
}

// The program that installs packages is another user than the one who runs them.
func TestCopyOfWhatAnotherOwns(t *testing.T) {
	const where = "GATEWAYD_BUNDLE_FOREIGN"
	if os.Getenv(innerEnv) == "" {
		testenv.NeedRoot(t)
		source := scratch(t)
		must(t, os.Mkdir(filepath.Join(source, "d"), 0o755), os.WriteFile(filepath.Join(source, "d/f"), []byte("x"), 0o644),
			os.Symlink("f", filepath.Join(source, "d/l")), os.Chmod(source, 0o755))
		t.Setenv(where, source)
	}
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	source := os.Getenv(where)
	must(t, only(Copy(context.Background(), source, filepath.Join(dir, "dest"), helperOptions())))
	sameTree(t, describe(t, source), describe(t, filepath.Join(dir, "dest")))
	var st unix.Stat_t
	must(t, unix.Lstat(filepath.Join(dir, "dest/d/f"), &st))
	if int(st.Uid) != os.Getuid() {
		t.Errorf("belongs to %d", st.Uid)
	}
	onlyHolds(t, dir, "dest")
}
