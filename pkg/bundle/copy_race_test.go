package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const secret = "nobody may read this"

// A process of the same user swaps what is in the source and in the stage for
// links to a canary, as fast as it can, while copies are made. What comes of the
// copies is one thing; that the canary is left alone and is in none is this
// test's.
func TestCopyWhileComponentsAreSwapped(t *testing.T) {
	dir := scratch(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"canary", "source/d/e", "source/x/y", "stage", "links"} {
		must(t, os.MkdirAll(at(name), 0o750))
	}
	must(t, os.WriteFile(at("canary/f"), []byte(secret), 0o640))
	for i := range 50 {
		name := fmt.Sprintf("source/d/e/%d", i)
		must(t, os.WriteFile(at(name), []byte("harmless"), 0o644), os.Link(at(name), at(fmt.Sprintf("source/x/y/%d", i))))
	}
	must(t, os.Link(at("source/d/e/1"), at("source/d/f")), os.Link(at("source/d/e/2"), at("source/d/e/f")),
		os.Symlink(at("canary"), at("links/directory")), os.Symlink(at("canary/f"), at("links/file")))
	before := [2]unix.Stat_t{statOf(t, at("canary")), statOf(t, at("canary/f"))}

	stop, stopped := make(chan struct{}), make(chan struct{})
	go swapComponents(dir, stop, stopped)
	made, refused := 0, 0
	for end := time.Now().Add(long(3*time.Second, 30*time.Second)); time.Now().Before(end); {
		if _, err := Copy(context.Background(), at("source"), at("stage/dest"), CopyOptions{Workers: 2}); err != nil {
			refused++
			continue
		}
		made++
		holdsNoSecret(t, at("stage/dest"))
		must(t, Remove(context.Background(), at("stage"), "dest", RemoveOptions{}))
	}
	close(stop)
	<-stopped
	t.Logf("%d copies were made, %d refused", made, refused)
	if made == 0 || refused == 0 {
		t.Error("nobody met anybody")
	}
	for i, name := range []string{"canary", "canary/f"} {
		if after := statOf(t, at(name)); after != before[i] {
			t.Errorf("%s was touched: %+v, now %+v", name, before[i], after)
		}
	}
}

// long is the first, or the second where there is time for it.
func long(short, long time.Duration) time.Duration {
	if os.Getenv("GATEWAYD_TEST_LONG") == "1" {
		return long
	}
	return short
}

func statOf(t *testing.T, path string) (st unix.Stat_t) {
	t.Helper()
	must(t, unix.Lstat(path, &st))
	return st
}

// swapComponents exchanges one component with a link, and back.
func swapComponents(dir string, stop, stopped chan struct{}) {
	defer close(stopped)
	directory, file := filepath.Join(dir, "links/directory"), filepath.Join(dir, "links/file")
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		roots, _ := filepath.Glob(filepath.Join(dir, "stage", StagingPrefix+"*"))
		roots = append(roots, filepath.Join(dir, "source"))
		root := roots[i%len(roots)]
		for _, s := range [][2]string{{root + "/d", directory}, {root + "/d/e", directory}, {root + "/x/y", directory}, {root + "/d/e/1", file}, {root, directory}} {
			if s[0] == filepath.Join(dir, "source") {
				continue // the way there is the caller's word
			}
			if unix.Renameat2(unix.AT_FDCWD, s[0], unix.AT_FDCWD, s[1], unix.RENAME_EXCHANGE) == nil {
				time.Sleep(time.Duration(i%50) * time.Microsecond)
				_ = unix.Renameat2(unix.AT_FDCWD, s[0], unix.AT_FDCWD, s[1], unix.RENAME_EXCHANGE) // or it is gone by now
				restore(dir)
			}
		}
	}
}

// restore makes the links again where the tree went away with one.
func restore(dir string) {
	for name, target := range map[string]string{"directory": "canary", "file": "canary/f"} {
		path := filepath.Join(dir, "links", name)
		if _, err := os.Readlink(path); err != nil {
			_ = os.Rename(path, filepath.Join(dir, "links", "lost-"+random()))
			_ = os.Symlink(filepath.Join(dir, target), path)
		}
	}
}

// What is swapped under its own eyes it passes over: a directory that was moved
// out of the stage for a moment may be moved back into the finished copy.
func holdsNoSecret(t *testing.T, root string) {
	t.Helper()
	must(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if isOneOf(err, unix.ENOENT, unix.ENOTDIR) {
			return nil
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if isOneOf(err, unix.ENOENT, unix.ENOTDIR, unix.ELOOP) {
			return nil
		}
		must(t, err)
		data, err := io.ReadAll(file)
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("the canary was read into %s", strings.TrimPrefix(path, root))
		}
		return errors.Join(err, file.Close())
	}))
}
