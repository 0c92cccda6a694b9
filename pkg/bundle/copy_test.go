package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// must ends the test with the first error of its preparation.
func must(t rapid.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// scratch is a directory that even this test's restrictive trees leave.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bundle-test-")
	must(t, err)
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
			if d != nil && d.IsDir() {
				os.Chmod(path, 0o700)
			}
			return nil
		})
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// everyByte is each byte that a file name can have.
func everyByte() string {
	var name []byte
	for b := 1; b < 256; b++ {
		if b != '/' {
			name = append(name, byte(b))
		}
	}
	return string(name)
}

// hostileTree makes one of every kind of entry that a package may hold.
func hostileTree(t *testing.T, root string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(root, name) }
	must(t,
		os.MkdirAll(at("a/b/c"), 0o755), os.Mkdir(at("empty"), 0o755),
		os.WriteFile(at("a/file"), []byte("content"), 0o644),
		os.WriteFile(at("a/none"), nil, 0o600),
		os.WriteFile(at(everyByte()), []byte("bytes"), 0o644),
		os.Mkdir(at("\n \xff"), 0o755), os.WriteFile(at("\n \xff/-rf"), []byte("x"), 0o400),
		os.Link(at("a/file"), at("a/b/c/link")), os.Link(at("a/file"), at("zlink")),
		os.Symlink("/etc/passwd", at("absolute")), os.Symlink("../../../etc/passwd", at("a/up")),
		os.Symlink("loop", at("loop")), os.Symlink("gone", at("dangling")), os.Symlink("a", at("todir")),
		os.Symlink("a/file", at("tofile")),
	)
	sparse(t, at("sparse"))
	must(t,
		unix.Setxattr(at("a/file"), "user.note", []byte("kept\x00binary"), 0),
		unix.Setxattr(at("a/none"), "user.empty", nil, 0),
		unix.Setxattr(at("a"), "user.dir", []byte("kept"), 0),
		unix.Chmod(at("a/b"), 0o2751), unix.Chmod(at("empty"), 0o1777), unix.Chmod(at("a/none"), 0o4755),
		unix.Chmod(at("zlink"), 0o444),
	)
	deep(t, root, strings.Repeat("d", 200), 18)
	old := time.Unix(1_000_000_007, 123_456_789)
	must(t, os.Chtimes(at("a/none"), old, old), os.Chtimes(at("a/b"), old, old), os.Chtimes(root, old, old))
	link := []unix.Timespec{unix.NsecToTimespec(old.UnixNano()), unix.NsecToTimespec(old.UnixNano())}
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, at("dangling"), link, unix.AT_SYMLINK_NOFOLLOW))
}

// sparse makes a file of 4 MiB with data in the middle and holes around it.
func sparse(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	must(t, err)
	_, err = file.WriteAt([]byte("in the middle"), 2<<20)
	must(t, err, file.Truncate(4<<20), file.Close())
}

// deep makes directories below each other, each named name, and a file in the
// last one. The path may become longer than any call takes.
func deep(t *testing.T, root, name string, levels int) {
	t.Helper()
	fd, err := unix.Open(root, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	for range levels {
		must(t, unix.Mkdirat(fd, name, 0o755))
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		must(t, err, unix.Close(fd))
		fd = next
	}
	file, err := unix.Openat(fd, "file", unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	must(t, err, unix.Close(file), unix.Close(fd))
}

func TestCopyIsEqual(t *testing.T) {
	for _, umask := range []int{0o022, 0o077, 0} {
		t.Run(fmt.Sprintf("umask %04o", umask), func(t *testing.T) {
			dir := scratch(t)
			source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
			must(t, os.Mkdir(source, 0o755))
			hostileTree(t, source)
			before := describe(t, source)
			defer syscall.Umask(syscall.Umask(umask))
			if _, err := Copy(context.Background(), source, dest, CopyOptions{KeepSetuid: true}); err != nil {
				t.Fatal(err)
			}
			sameTree(t, before, describe(t, dest))
			sameTree(t, before, describe(t, source))
			onlyHolds(t, dir, "source", "dest")
			var st unix.Stat_t
			must(t, unix.Stat(filepath.Join(dest, "sparse"), &st))
			if st.Blocks*512 > 1<<20 {
				t.Errorf("holes were filled: %d blocks", st.Blocks)
			}
		})
	}
}

// A user may set no attribute of a file without the right to write it, be it open
// for writing.
func TestCopyKeepsAttributesOfWhatIsReadOnly(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	hostile := filepath.Join(source, "d")
	must(t, os.MkdirAll(hostile, 0o755))
	hostileTree(t, hostile)
	must(t, unix.Setxattr(hostile, "user.note", []byte("kept"), 0), os.Chmod(hostile, 0o555))
	want := describe(t, source)
	must(t, only(Copy(context.Background(), source, dest, CopyOptions{KeepSetuid: true})))
	sameTree(t, want, describe(t, dest))
}

func TestCopyIsIndependent(t *testing.T) {
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	must(t, os.Mkdir(source, 0o755), os.WriteFile(filepath.Join(source, "f"), []byte("original"), 0o644))
	must(t, only(Copy(context.Background(), source, dest, CopyOptions{})))
	must(t, os.WriteFile(filepath.Join(dest, "f"), []byte("changed"), 0o644))
	if data, _ := os.ReadFile(filepath.Join(source, "f")); string(data) != "original" {
		t.Errorf("the source was written: %q", data)
	}
}

func TestCopyRefusesSpecialFiles(t *testing.T) {
	kinds := map[string]func(path string) error{
		"FIFO":   func(path string) error { return unix.Mkfifo(path, 0o600) },
		"socket": func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
	}
	if os.Getuid() == 0 {
		kinds["device"] = func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) }
	}
	for kind, make := range kinds {
		t.Run(kind, func(t *testing.T) {
			dir := scratch(t)
			source := filepath.Join(dir, "source")
			must(t, os.MkdirAll(filepath.Join(source, "in/side"), 0o755), make(filepath.Join(source, "in/side/odd")))
			_, err := Copy(context.Background(), source, filepath.Join(dir, "dest"), CopyOptions{})
			if !errors.Is(err, ErrSpecialFile) || !strings.Contains(err.Error(), "in/side/odd: "+kind) {
				t.Errorf("error %v", err)
			}
			onlyHolds(t, dir, "source")
		})
	}
}

func TestCopyKeepsWhatIsThere(t *testing.T) {
	for name, make := range map[string]func(string) error{
		"directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"dangling":  func(path string) error { return os.Symlink("gone", path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := scratch(t)
			must(t, os.Mkdir(filepath.Join(dir, "source"), 0o755), make(filepath.Join(dir, "dest")))
			_, err := Copy(context.Background(), filepath.Join(dir, "source"), filepath.Join(dir, "dest"), CopyOptions{})
			if !errors.Is(err, fs.ErrExist) {
				t.Errorf("error %v", err)
			}
			onlyHolds(t, dir, "source", "dest")
		})
	}
}

// Between the look at dest and the rename another may have made it.
func TestPublishNeverReplaces(t *testing.T) {
	dir := scratch(t)
	must(t, os.Mkdir(filepath.Join(dir, "staging"), 0o755), os.Mkdir(filepath.Join(dir, "dest"), 0o755))
	parent, err := os.Open(dir)
	must(t, err)
	defer parent.Close()
	if err := publish(context.Background(), int(parent.Fd()), "staging", "dest"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
}

func TestCopyOfWhatNoPathCanName(t *testing.T) {
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	must(t, os.Mkdir(source, 0o755))
	deep(t, source, strings.Repeat("d", 200), 60)
	t.Cleanup(func() {
		must(t, Remove(context.Background(), dir, "source", RemoveOptions{}), Remove(context.Background(), dir, "dest", RemoveOptions{}))
	})
	must(t, only(Copy(context.Background(), source, dest, CopyOptions{})))
	onlyHolds(t, dir, "source", "dest")
}

func TestCopyOfNothing(t *testing.T) {
	dir := scratch(t)
	_, err := Copy(context.Background(), filepath.Join(dir, "gone"), filepath.Join(dir, "dest"), CopyOptions{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "gone") {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, dir)
}

func TestCopyGivesAway(t *testing.T) {
	testenv.NeedRoot(t)
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	must(t, os.Mkdir(source, 0o755))
	hostileTree(t, source)
	must(t, unix.Mkdir(filepath.Join(source, "closed"), 0), os.WriteFile(filepath.Join(source, "closed/f"), []byte("x"), 0))
	must(t, os.Lchown(filepath.Join(source, "a/none"), 12, 34), unix.Chmod(filepath.Join(source, "a/none"), 0o6711))
	want := describe(t, source)
	want["a/none"] = strings.Replace(want["a/none"], "106711", "102711", 1)
	must(t, only(Copy(context.Background(), source, dest, CopyOptions{IDs: SingleID(65532, 65533)})))
	sameTree(t, want, describe(t, dest))
	must(t, filepath.WalkDir(dest, func(path string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		must(t, err, unix.Lstat(path, &st))
		if st.Uid != 65532 || st.Gid != 65533 {
			t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
		}
		return nil
	}))
}

// A countdown is a context that ends after so many looks at it.
type countdown struct {
	context.Context
	left atomic.Int64
}

func countTo(looks int) *countdown {
	c := &countdown{Context: context.Background()}
	c.left.Store(int64(looks))
	return c
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestCopyCancelledAnywhereLeavesNothing(t *testing.T) {
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	must(t, os.Mkdir(source, 0o755))
	hostileTree(t, source)
	for looks := 0; ; looks++ {
		_, err := Copy(countTo(looks), source, dest, CopyOptions{})
		if err == nil {
			if looks < 40 {
				t.Errorf("looked at its context %d times only", looks)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		onlyHolds(t, dir, "source")
	}
}
