package bundle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Names of one file: to hold 300,000 of them would take 30 MB and more.
func TestRemoveOfAMillionEntries(t *testing.T) {
	if !asMounter(t) {
		return
	}
	entries := 300_000
	if os.Getenv("GATEWAYD_TEST_LONG") == "1" {
		entries = 1_000_000
	}
	dir := scratch(t)
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "nr_inodes=0"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	must(t, os.Mkdir(filepath.Join(dir, "tree"), 0o755), os.WriteFile(filepath.Join(dir, "tree/f"), nil, 0))
	fd, err := unix.Open(filepath.Join(dir, "tree"), unix.O_PATH|unix.O_CLOEXEC, 0)
	must(t, err)
	for i := range entries {
		must(t, unix.Linkat(fd, "f", fd, strconv.Itoa(i), 0))
	}
	must(t, unix.Close(fd))
	before := heap()
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	onlyHolds(t, dir)
}

// heap is what it has from the kernel, by which it shows what it once needed.
func heap() int64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapSys - stats.HeapReleased)
}

// Longer than a path can be, and the directories closed. With many workers each
// has few descriptors, and some are moved up.
func TestRemoveOfLongNames(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	must(t, os.Mkdir(filepath.Join(dir, "tree"), 0o755))
	deep(t, filepath.Join(dir, "tree"), strings.Repeat("d", unix.NAME_MAX), 40)
	closeAll(t, filepath.Join(dir, "tree"))
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{Workers: maxWorkers}))
	onlyHolds(t, dir)
}

// closeAll takes all rights from every second directory and that to write from
// the others, the deepest first.
func closeAll(t *testing.T, root string) {
	t.Helper()
	fds := []int{}
	fd, err := unix.Open(root, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for err == nil {
		fds = append(fds, fd)
		fd, err = unix.Openat(fd, strings.Repeat("d", unix.NAME_MAX), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if len(fds) != 41 {
		t.Fatalf("%d levels: %v", len(fds), err)
	}
	for i := len(fds) - 1; i >= 0; i-- {
		must(t, unix.Fchmod(fds[i], uint32(i%2*0o500)), unix.Close(fds[i]))
	}
}

// Many branches that are all too deep, with one thing in them that stays: it is
// named by the path that it had, once, and the rest goes.
func TestRemoveMovesUpManyBranches(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	tree := filepath.Join(dir, "tree")
	long := strings.Repeat("d/", maxOpenDirs+10)
	for _, branch := range []string{"x", "y", "z"} {
		for _, side := range []string{"p/q/r", "s/t/u"} {
			must(t, os.MkdirAll(filepath.Join(tree, branch, long, side), 0o755))
		}
	}
	left := filepath.Join(tree, "y", long, "s/t/u")
	fd, err := unix.Open(left, unix.O_PATH|unix.O_DIRECTORY, 0)
	must(t, err, unix.Mount("tmpfs", left, "tmpfs", 0, ""))
	for _, workers := range []int{1, 2, 7} {
		err := Remove(context.Background(), dir, "tree", RemoveOptions{Workers: workers})
		if workers == 1 && (err == nil || !strings.HasSuffix(err.Error(), left+": something is mounted there: invalid cross-device link")) {
			t.Errorf("error %v, want %s", err, left)
		}
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("not one error with %d workers: %v", workers, err)
		}
	}
	held := 0
	must(t, filepath.WalkDir(filepath.Join(dir, asideName("tree")), func(string, os.DirEntry, error) error { held++; return nil }))
	if held > maxOpenDirs+20 {
		t.Errorf("%d entries are left", held)
	}
	place, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	must(t, err, unix.Unmount(place, unix.MNT_DETACH), unix.Close(fd))
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
	onlyHolds(t, dir)
}

// All descriptors but a few are taken: it goes on with those.
func TestRemoveWithFewDescriptors(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	for i := range 5 {
		must(t, os.MkdirAll(filepath.Join(dir, "tree", fmt.Sprint(i), strings.Repeat("d/", 30), "e"), 0o755))
		must(t, os.Chmod(filepath.Join(dir, "tree", fmt.Sprint(i), strings.Repeat("d/", 30), "e"), 0))
	}
	leaveDescriptors(t, 9)
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{Workers: 4}))
	onlyHolds(t, dir)
}

// leaveDescriptors leaves so many free until the test ends.
func leaveDescriptors(t *testing.T, free int) {
	t.Helper()
	fd, err := unix.Open("/", unix.O_PATH, 0) // the lowest that is free
	var limit unix.Rlimit
	must(t, err, unix.Close(fd), unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	less := unix.Rlimit{Cur: uint64(fd + free), Max: limit.Max}
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &less))
	t.Cleanup(func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) })
}
