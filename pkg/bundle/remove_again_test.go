package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bushy makes a tree of two hundred entries, with closed directories if the
// caller could not enter them.
func bushy(t *testing.T, root string) {
	t.Helper()
	for i := range 40 {
		dir := filepath.Join(root, fmt.Sprint(i%7), fmt.Sprint(i%5), fmt.Sprint(i))
		must(t, os.MkdirAll(dir, 0o755))
		for j := range 3 {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(j)), nil, 0))
		}
		must(t, os.Chmod(dir, 0))
	}
}

// Wherever it ends, a later call finds the rest, and nothing else is harmed.
func TestRemoveCancelledAnywhereGoesOn(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	must(t, os.Mkdir(filepath.Join(dir, "other"), 0o755))
	calls := 0
	for looks := 0; ; looks += looks/6 + 1 {
		tree := filepath.Join(dir, "tree")
		bushy(t, tree)
		err := Remove(countTo(looks), dir, "tree", RemoveOptions{Workers: 3})
		if err == nil {
			break
		}
		calls++
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := os.Lstat(tree); looks > 0 && err == nil {
			t.Errorf("after %d looks it still has its name", looks)
		}
		must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
		onlyHolds(t, dir, "other")
	}
	onlyHolds(t, dir, "other")
	if calls < 15 {
		t.Errorf("ended at %d places only", calls)
	}
}

// A removal is killed, again and again, until nothing is left for it to do.
func TestRemoveKilledAnywhereGoesOn(t *testing.T) {
	dir := scratch(t)
	for after := 500 * time.Microsecond; after < 50*time.Millisecond; after = after * 3 / 2 {
		bushy(t, filepath.Join(dir, "tree"))
		deep(t, filepath.Join(dir, "tree"), "deep", 100)
		for run := 0; ; run++ {
			ctx, cancel := context.WithTimeout(context.Background(), after)
			cmd := exec.CommandContext(ctx, "/proc/self/exe", roleRemove, dir, "tree")
			cmd.Env = []string{"GORACE=atexit_sleep_ms=0"}
			err := cmd.Run()
			cancel()
			if err == nil {
				break
			}
			if run > 20 { // it is killed before it comes to anything
				must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
				break
			}
		}
		onlyHolds(t, dir)
	}
}

func TestRemoveFindsWhatAnEarlierOneLeft(t *testing.T) {
	dir := scratch(t)
	long := strings.Repeat("n", unix.NAME_MAX)
	for _, name := range []string{"tree", long, long[1:] + "m", StagingPrefix + "x"} {
		for _, has := range [][]string{{name}, {asideName(name)}, {name, asideName(name)}} {
			for _, one := range has {
				must(t, os.MkdirAll(filepath.Join(dir, one, "a/b"), 0o755), os.WriteFile(filepath.Join(dir, one, "a/f"), nil, 0))
			}
			must(t, Remove(context.Background(), dir, name, RemoveOptions{}))
			onlyHolds(t, dir)
		}
	}
	if a, b := asideName(long), asideName(long[1:]+"m"); a == b || len(a) > unix.NAME_MAX {
		t.Errorf("%s, %s", a, b)
	}
}

// What a sweep finds is given as it is called.
func TestRemoveOfWhatIsAside(t *testing.T) {
	dir := scratch(t)
	must(t, os.MkdirAll(filepath.Join(dir, RemovingPrefix+"x", "a"), 0o755), os.Mkdir(filepath.Join(dir, "x"), 0o755))
	must(t, Remove(context.Background(), dir, RemovingPrefix+"x", RemoveOptions{}))
	onlyHolds(t, dir, "x")
}

// A mount point cannot be renamed. What is mounted is not entered.
func TestRemoveOfAMountPoint(t *testing.T) {
	if !asMounter(t) {
		return
	}
	dir := scratch(t)
	tree := filepath.Join(dir, "tree")
	must(t, os.Mkdir(tree, 0o755), unix.Mount("tmpfs", tree, "tmpfs", 0, ""), os.WriteFile(filepath.Join(tree, "kept"), nil, 0))
	err := Remove(context.Background(), dir, "tree", RemoveOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "remove "+tree+": something is mounted there") {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, tree, "kept")
	must(t, unix.Unmount(tree, unix.MNT_DETACH), Remove(context.Background(), dir, "tree", RemoveOptions{}))
	onlyHolds(t, dir)
}

// In a directory that takes no new names the tree is emptied where it is.
func TestRemoveInADirectoryThatIsClosed(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	bushy(t, filepath.Join(dir, "tree"))
	must(t, os.Chmod(dir, 0o500))
	err := Remove(context.Background(), dir, "tree", RemoveOptions{})
	if want := "remove " + filepath.Join(dir, "tree") + ": permission denied"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	onlyHolds(t, filepath.Join(dir, "tree"))
	must(t, os.Chmod(dir, 0o700), Remove(context.Background(), dir, "tree", RemoveOptions{}))
}
