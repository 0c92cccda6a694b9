package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// meanwhile runs act over and over, until the function that it returns is called.
func meanwhile(acts ...func()) (stop func()) {
	done := make(chan struct{})
	var group sync.WaitGroup
	for _, act := range acts {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					act()
				}
			}
		})
	}
	return func() { close(done); group.Wait() }
}

// A process of the same user swaps the tree's directories, on all levels, with
// symbolic links to a canary outside, while they are removed. The canary keeps
// its entries and modes: that those of its root stay at 0500 shows that no chmod
// went there.
func TestRemoveWhileLinksAreSwapped(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.MkdirAll(at("canary/d/d"), 0o755), os.WriteFile(at("canary/d/f"), []byte("x"), 0o400), os.WriteFile(at("canary/f"), nil, 0o400),
		os.Chmod(at("canary/d/d"), 0o500), os.Chmod(at("canary/d"), 0o500), os.Chmod(at("canary"), 0o500))
	before := describe(t, at("canary"))
	swap := func(tree string) func() {
		return func() {
			for _, sub := range []string{"", "/d", "/d/d"} {
				_ = os.Mkdir(at(tree+sub), 0o700)
				_ = os.Mkdir(at(tree+sub+"/d"), 0o300)
				_ = os.Symlink(at("canary"), at(tree+sub+"/l"))
				_ = os.WriteFile(at(tree+sub+"/f"), nil, 0)
				for _, with := range []string{"/l", "/f"} {
					_ = unix.Renameat2(unix.AT_FDCWD, at(tree+sub+"/d"), unix.AT_FDCWD, at(tree+sub+with), unix.RENAME_EXCHANGE)
				}
			}
		}
	}
	stop := meanwhile(swap("tree"), swap(asideName("tree")))
	removals := 0
	for end := time.Now().Add(longer(3*time.Second, 30*time.Second)); time.Now().Before(end); removals++ {
		_ = Remove(context.Background(), dir, "tree", RemoveOptions{Workers: 2}) // may well fail: somebody is at work in it
	}
	stop()
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
	sameTree(t, before, describe(t, at("canary")))
	onlyHolds(t, dir, "canary")
	t.Logf("%d removals", removals)
}

func longer(short, long time.Duration) time.Duration {
	if os.Getenv("GATEWAYD_TEST_LONG") == "1" {
		return long
	}
	return short
}

// Whoever has a directory of the tree open goes on making entries in it. Remove
// ends, with its context at the latest, and when that one ends the rest goes.
func TestRemoveWhileEntriesAreMade(t *testing.T) {
	dir := scratch(t)
	must(t, os.MkdirAll(filepath.Join(dir, "tree/a/b"), 0o755))
	inner, err := unix.Open(filepath.Join(dir, "tree/a/b"), unix.O_PATH|unix.O_CLOEXEC, 0)
	must(t, err)
	var made atomic.Int64
	begun := make(chan struct{})
	stop := meanwhile(func() {
		if made.Add(1) == 100 {
			close(begun)
		}
		_ = unix.Mkdirat(inner, fmt.Sprint(made.Load()), 0)
	})
	<-begun
	ctx, cancel := context.WithTimeout(context.Background(), longer(500*time.Millisecond, 10*time.Second))
	defer cancel()
	err = Remove(ctx, dir, "tree", RemoveOptions{})
	stop()
	if err == nil || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, context.DeadlineExceeded) {
		t.Logf("%d made: %v", made.Load(), err)
	} else {
		t.Error(err)
	}
	must(t, unix.Close(inner), Remove(context.Background(), dir, "tree", RemoveOptions{}))
	onlyHolds(t, dir)
}

// A making is a context that adds an entry each time it is looked at, and so at
// moments that the race above seldom meets: behind what is listed.
type making struct {
	context.Context
	left atomic.Int64
	add  func(n int64)
}

func (m *making) Err() error {
	if n := m.left.Add(-1); n > 0 {
		m.add(n)
	}
	return nil
}

func TestRemoveComesBackForWhatWasAdded(t *testing.T) {
	dir := scratch(t)
	must(t, os.MkdirAll(filepath.Join(dir, "tree/a/b"), 0o755), os.WriteFile(filepath.Join(dir, "tree/a/b/f"), nil, 0))
	inner, err := unix.Open(filepath.Join(dir, "tree/a"), unix.O_PATH|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(inner)
	m := &making{Context: context.Background(), add: func(n int64) { _ = unix.Mkdirat(inner, fmt.Sprint(n), 0) }}
	m.left.Store(10)
	must(t, Remove(m, dir, "tree", RemoveOptions{}))
	onlyHolds(t, dir)
	if m.left.Load() > 0 {
		t.Errorf("%d entries were never added", m.left.Load())
	}
}
