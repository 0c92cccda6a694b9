package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCopyOnFullDiskLeavesNothing(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	disk := filepath.Join(dir, "disk")
	must(t, os.Mkdir(disk, 0o755), unix.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { must(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	source := filepath.Join(dir, "source")
	must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755), os.WriteFile(filepath.Join(source, "d/large"), make([]byte, 2<<20), 0o600))
	_, err := Copy(context.Background(), source, filepath.Join(disk, "dest"), CopyOptions{})
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "d/large") {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, disk)
}

func TestCopyStopsAtMount(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	must(t, os.MkdirAll(filepath.Join(source, "mnt"), 0o755), unix.Mount("tmpfs", filepath.Join(source, "mnt"), "tmpfs", 0, ""))
	t.Cleanup(func() { must(t, unix.Unmount(filepath.Join(source, "mnt"), unix.MNT_DETACH)) })
	_, err := Copy(context.Background(), source, filepath.Join(dir, "dest"), CopyOptions{})
	if !errors.Is(err, unix.EXDEV) || !strings.Contains(err.Error(), "mnt: something is mounted there") {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, dir, "source")
}
