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
)

// mountAt mounts a new file system for the length of the test.
func mountAt(t *testing.T, path, kind, options string) {
	t.Helper()
	must(t, os.MkdirAll(path, 0o755), unix.Mount(kind, path, kind, 0, options))
	t.Cleanup(func() { must(t, unix.Unmount(path, unix.MNT_DETACH)) })
}

func TestCopyOnFullDiskLeavesNothing(t *testing.T) {
	if !asMounter(t) {
		return
	}
	for _, workers := range []int{1, 4} {
		dir := scratch(t)
		source, disk := filepath.Join(dir, "source"), filepath.Join(dir, "disk")
		mountAt(t, disk, "tmpfs", "size=1m")
		must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755), os.WriteFile(filepath.Join(source, "d/large"), make([]byte, 2<<20), 0o600))
		_, err := Copy(context.Background(), source, filepath.Join(disk, "dest"), CopyOptions{Workers: workers})
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "d/large") {
			t.Errorf("error %v", err)
		}
		onlyHolds(t, disk)
	}
}

func TestCopyWithoutInodesLeavesNothing(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	source, disk := filepath.Join(dir, "source"), filepath.Join(dir, "disk")
	for i := range 40 {
		must(t, os.MkdirAll(filepath.Join(source, fmt.Sprint("d", i%10)), 0o755),
			os.WriteFile(filepath.Join(source, fmt.Sprint("d", i%10), fmt.Sprint("f", i)), []byte("x"), 0o600))
	}
	for inodes := 1; ; inodes++ {
		mountAt(t, disk, "tmpfs", fmt.Sprintf("nr_inodes=%d", inodes))
		err := only(Copy(context.Background(), source, filepath.Join(disk, "dest"), CopyOptions{}))
		if err == nil {
			if inodes < 51 {
				t.Errorf("51 entries with %d inodes", inodes)
			}
			return
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("with %d inodes: %v", inodes, err)
		}
		onlyHolds(t, disk)
	}
}

func TestCopyOfReadOnlySource(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	mountAt(t, source, "tmpfs", "")
	hostileTree(t, source)
	must(t, unix.Mount("", source, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	want := describe(t, source)
	must(t, only(Copy(context.Background(), source, filepath.Join(dir, "dest"), CopyOptions{KeepSetuid: true})))
	sameTree(t, want, describe(t, filepath.Join(dir, "dest")))
}

func TestCopyToReadOnlyFileSystem(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	disk := filepath.Join(dir, "disk")
	mountAt(t, disk, "tmpfs", "")
	must(t, unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""), os.Mkdir(filepath.Join(dir, "source"), 0o755))
	if _, err := Copy(context.Background(), filepath.Join(dir, "source"), filepath.Join(disk, "dest"), CopyOptions{}); !errors.Is(err, unix.EROFS) {
		t.Errorf("error %v", err)
	}
}

// A directory, and a single file.
func TestCopyStopsAtMount(t *testing.T) {
	if !asMounter(t) {
		return
	}
	for name, mount := range map[string]func(path string){
		"directory": func(path string) { mountAt(t, path, "tmpfs", "") },
		"file": func(path string) {
			must(t, os.WriteFile(path, nil, 0o600), unix.Mount("/etc/hostname", path, "", unix.MS_BIND, ""))
			t.Cleanup(func() { must(t, unix.Unmount(path, unix.MNT_DETACH)) })
		},
	} {
		dir := scratch(t)
		source := filepath.Join(dir, "source")
		must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755))
		mount(filepath.Join(source, "d/mnt"))
		_, err := Copy(context.Background(), source, filepath.Join(dir, "dest"), CopyOptions{})
		if !errors.Is(err, unix.EXDEV) || !strings.Contains(err.Error(), "open d/mnt: something is mounted there") {
			t.Errorf("%s: error %v", name, err)
		}
		onlyHolds(t, dir, "source")
	}
}

// A ramfs has no attributes: that is an error only where there are some.
func TestCopyToWhereNoXattrsAre(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	source, disk := filepath.Join(dir, "source"), filepath.Join(dir, "disk")
	mountAt(t, disk, "ramfs", "")
	must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755), os.WriteFile(filepath.Join(source, "d/f"), nil, 0o600))
	must(t, only(Copy(context.Background(), source, filepath.Join(disk, "dest"), CopyOptions{})))
	must(t, unix.Setxattr(filepath.Join(source, "d/f"), "user.note", []byte("x"), 0))
	_, err := Copy(context.Background(), source, filepath.Join(disk, "other"), CopyOptions{})
	if !errors.Is(err, unix.ENOTSUP) || !strings.Contains(err.Error(), "d/f: xattr user.note") {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, disk, "dest")
}

// From one file system to another nothing can be shared, and holes stay holes.
func TestCopyToAnotherFileSystem(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	source, disk := filepath.Join(dir, "source"), filepath.Join(dir, "disk")
	mountAt(t, disk, "tmpfs", "")
	must(t, os.Mkdir(source, 0o755), os.WriteFile(filepath.Join(source, "large"), []byte(strings.Repeat("0123456789", 1<<20)), 0o600))
	hostileTree(t, source)
	want := describe(t, source)
	must(t, only(Copy(context.Background(), source, filepath.Join(disk, "dest"), CopyOptions{KeepSetuid: true})))
	sameTree(t, want, describe(t, filepath.Join(disk, "dest")))
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(disk, "dest/sparse"), &st))
	if st.Blocks*512 > 1<<20 {
		t.Errorf("holes were filled: %d blocks", st.Blocks)
	}
}
