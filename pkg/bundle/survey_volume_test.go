package bundle

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Two images with the same inodes, sizes and times are two, one in the place of
// the other: a cache of the first says nothing of the second.
func TestExamineAnotherImage(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	source, cache := filepath.Join(dir, "source"), filepath.Join(dir, "cache")
	must(t, os.Mkdir(source, 0o755), os.WriteFile(filepath.Join(source, "f"), []byte("one"), 0o644))
	o := SurveyOptions{Cache: cache}
	mount := func() {
		must(t, unix.Mount(source, source, "", unix.MS_BIND, ""))
		t.Cleanup(func() { _ = unix.Unmount(source, unix.MNT_DETACH) })
		must(t, unix.MountSetattr(unix.AT_FDCWD, source, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}))
	}
	mount()
	first := examineLater(t, source, o)
	again := examineLater(t, source, o)
	if again.Read != 0 || again.State != first.State {
		t.Errorf("the same mount: read %d bytes", again.Read)
	}
	must(t, unix.Unmount(source, 0))
	mount()
	other := examineLater(t, source, o)
	if other.Read != 3 || other.State == first.State || other.Digest != first.Digest {
		t.Errorf("another mount: read %d bytes, %v", other.Read, other.State == first.State)
	}
}
