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

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// closedTree holds what its owner made and cannot read.
func closedTree(t *testing.T, source string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(source, name) }
	must(t,
		os.MkdirAll(at("open"), 0o755), os.WriteFile(at("open/file"), []byte("open"), 0o644),
		os.MkdirAll(at("closed/inner"), 0o755), os.WriteFile(at("closed/inner/file"), []byte("closed"), 0o640),
		os.WriteFile(at("secret"), []byte("secret"), 0o000), os.WriteFile(at("writeonly"), []byte("w"), 0o200),
		os.MkdirAll(at("listonly"), 0o755), os.WriteFile(at("listonly/file"), []byte("l"), 0o644),
		unix.Setxattr(at("open/file"), "user.note", []byte("kept"), 0),
		os.Chmod(at("closed/inner"), 0), os.Chmod(at("closed"), 0), os.Chmod(at("listonly"), 0o400),
	)
}

// opened gives the modes back, to look inside.
func opened(t *testing.T, root string, check bool) {
	t.Helper()
	for _, want := range []struct {
		name string
		mode fs.FileMode
	}{{"closed", 0}, {"closed/inner", 0}, {"secret", 0}, {"writeonly", 0o200}, {"listonly", 0o400}} {
		path := filepath.Join(root, want.name)
		info, err := os.Lstat(path)
		must(t, err)
		if check && info.Mode().Perm() != want.mode {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want.mode)
		}
		must(t, os.Chmod(path, 0o700))
	}
}

func TestCopyReadsWhatItsOwnerCannot(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	closedTree(t, source)
	if _, err := Copy(context.Background(), source, dest, helperOptions()); err != nil {
		t.Fatal(err)
	}
	onlyHolds(t, dir, "source", "dest")
	opened(t, source, true) // checks that the source was never chmodded, too
	opened(t, dest, true)
	want := describe(t, source)
	sameTree(t, want, describe(t, dest))
	if len(want) != 10 || !strings.Contains(want["open/file"], "user.note") {
		t.Errorf("the tree is not what the test is about: %v", want)
	}
}

// A process that holds secrets is not dumpable, and neither is its child before it
// executes a program: the files of /proc by which it would be mapped are root's.
func TestCopyOfOneThatIsNotDumpable(t *testing.T) {
	if !asUser(t) {
		return
	}
	must(t, unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
	t.Cleanup(func() { must(t, unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)) })
	dir := scratch(t)
	closedTree(t, filepath.Join(dir, "source"))
	for range 2 {
		_, err := Copy(context.Background(), filepath.Join(dir, "source"), filepath.Join(dir, "dest"), helperOptions())
		must(t, err)
		opened(t, filepath.Join(dir, "dest"), true)
		must(t, Remove(context.Background(), dir, "dest", RemoveOptions{Helper: helperOptions().Helper, IDs: helperOptions().IDs}))
	}
}

func TestCopyWithoutHelperNamesTheClosedEntry(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	must(t, os.Mkdir(source, 0o755), os.WriteFile(filepath.Join(source, "secret"), nil, 0))
	_, err := Copy(context.Background(), source, filepath.Join(dir, "dest"), CopyOptions{})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), fmt.Sprintf("open secret: permission denied (mode 0000, owner %d:%d)", os.Getuid(), os.Getgid())) {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, dir, "source")
}

// A group that is not mapped keeps the file closed: root of a user namespace has
// no rights over an inode one of whose ids it does not know.
func TestCopyCannotReadOtherGroups(t *testing.T) {
	if os.Getenv(innerEnv) == "" {
		testenv.NeedRoot(t) // to become a user who is in two groups
	}
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	secret := filepath.Join(source, "etc/shadow")
	must(t, os.MkdirAll(filepath.Join(source, "etc"), 0o755), os.WriteFile(secret, nil, 0), os.Chown(secret, testUID, testGroup))
	_, err := Copy(context.Background(), source, filepath.Join(dir, "dest"), helperOptions())
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "open etc/shadow: permission denied (mode 0000") {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, dir, "source")
}

func TestCopyByHelperThatFails(t *testing.T) {
	if !asUser(t) {
		return
	}
	for name, argv := range map[string][]string{
		"absent": {"/nonexistent/helper"}, "lies": {"/bin/true"}, "dies": {"/bin/sh", "-c", "echo its words >&2; kill -9 $$"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := scratch(t)
			source := filepath.Join(dir, "source")
			closedTree(t, source)
			o := helperOptions()
			o.Helper = argv
			_, err := Copy(context.Background(), source, filepath.Join(dir, "dest"), o)
			if err == nil || name == "dies" && !strings.Contains(err.Error(), "its words") {
				t.Errorf("error %v", err)
			}
			onlyHolds(t, dir, "source")
		})
	}
}

func TestCopyCancelledInHelperLeavesNothing(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	closedTree(t, source)
	ctx, cancel := context.WithCancel(context.Background())
	started := filepath.Join(dir, "started")
	must(t, unix.Mkfifo(started, 0o600))
	go func() {
		os.ReadFile(started) // until the helper has written
		cancel()
	}()
	o := helperOptions()
	o.Helper = []string{"/proc/self/exe", roleHalf, started}
	if _, err := Copy(ctx, source, filepath.Join(dir, "dest"), o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, dir, "source", "started")
}
