package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// someCgroup returns a cgroup v2 of this test alone: in the delegated one, or as
// root in the hierarchy that a hybrid machine mounts beside version 1.
func someCgroup(t *testing.T) *Cgroup {
	t.Helper()
	parent := &Cgroup{mount: "/sys/fs/cgroup/unified", path: "/"}
	if c, err := Delegated(); err == nil {
		must(t, c.Enter(supervisorGroup))
		parent = c
	} else if unix.Access(filepath.Join(parent.dir(), "cgroup.procs"), unix.W_OK) != nil {
		testenv.Skip(t, "needs a delegated cgroup v2: run it in the test host (make test)")
	}
	leaf, err := parent.Leaf(fmt.Sprintf("test-%d", os.Getpid()))
	must(t, err)
	t.Cleanup(func() {
		must(t, leaf.Kill(context.Background()))
		must(t, leaf.Remove(context.Background()))
	})
	return &Cgroup{mount: leaf.mount, path: leaf.path}
}

// occupied is a leaf with a process in it and one in a cgroup below.
func occupied(t *testing.T) (leaf *Leaf, pids []int) {
	t.Helper()
	leaf, err := someCgroup(t).Leaf("web-1-abc")
	must(t, err)
	below := filepath.Join(leaf.Dir(), "below", "deep")
	must(t, os.MkdirAll(below, 0o755))
	for _, dir := range []string{leaf.Dir(), below} {
		pid := child(t, "prog")
		must(t, writeControl(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid)))
		pids = append(pids, pid)
	}
	return leaf, pids
}

func dead(pid int) bool { s, err := readStat(pid); return err != nil || s.dead() }

func TestLeafKillAndRemove(t *testing.T) {
	for name, kill := range map[string]func(*Leaf, context.Context) error{"cgroup.kill": (*Leaf).Kill, "one by one": (*Leaf).killEach} {
		t.Run(name, func(t *testing.T) {
			leaf, pids := occupied(t)
			procs, err := leaf.Procs()
			must(t, err)
			slices.Sort(procs)
			slices.Sort(pids)
			if !slices.Equal(procs, pids) {
				t.Errorf("processes %v, want %v", procs, pids)
			}
			must(t, kill(leaf, t.Context()))
			if !dead(pids[0]) || !dead(pids[1]) {
				t.Error("a process has survived")
			}
			must(t, leaf.Remove(t.Context()))
			if _, err := os.Stat(leaf.Dir()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the leaf is left: %v", err)
			}
			must(t, leaf.Remove(t.Context()))
			must(t, kill(leaf, t.Context()))
			procs, err = leaf.Procs()
			if must(t, err); len(procs) > 0 {
				t.Errorf("processes of a leaf that is gone: %v", procs)
			}
		})
	}
}

func TestLeafRemoveWaitsForProcesses(t *testing.T) {
	leaf, pids := occupied(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := leaf.Remove(ctx); !errors.Is(err, ErrRunning) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("remove = %v, want ErrRunning", err)
	}
	done := make(chan error, 1)
	go func() { done <- leaf.Remove(context.Background()) }()
	for _, pid := range pids {
		must(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("the end of the processes is not noticed")
	}
}

func TestLeafIsNeverReused(t *testing.T) {
	c := someCgroup(t)
	leaf, err := c.Leaf("web-1-abc")
	must(t, err)
	if _, err := c.Leaf("web-1-abc"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second leaf = %v, want fs.ErrExist", err)
	}
	if leaf.ID() != "web-1-abc" || leaf.Path() != c.Path()+"/web-1-abc" {
		t.Errorf("leaf = %q at %q", leaf.ID(), leaf.Path())
	}
	for _, id := range []string{"", "..", "a/b", ".control"} {
		if _, err := c.Leaf(id); err == nil {
			t.Errorf("leaf %q is accepted", id)
		}
	}
}

func TestLeaves(t *testing.T) {
	c := someCgroup(t)
	for _, name := range []string{supervisorGroup, controlGroup, "web-1-abc", "db-2-xyz"} {
		must(t, os.Mkdir(filepath.Join(c.dir(), name), 0o755))
	}
	leaves, err := c.Leaves()
	must(t, err)
	if len(leaves) != 2 || leaves[0].ID() != "db-2-xyz" || leaves[1].ID() != "web-1-abc" {
		t.Errorf("leaves = %v", leaves)
	}
}

func TestEnter(t *testing.T) {
	c, err := Delegated()
	if err != nil {
		testenv.Skip(t, "needs a delegated cgroup v2: run it in the test host (make test)")
	}
	must(t, c.Enter(supervisorGroup))
	must(t, c.Enter(supervisorGroup))
	own, err := ownPath()
	must(t, err)
	if own != filepath.Join(c.Path(), supervisorGroup) {
		t.Errorf("we are in %s", own)
	}
	again, err := Delegated()
	if must(t, err); again.Path() != c.Path() {
		t.Errorf("from within the sub-cgroup the unit is %s, want %s", again.Path(), c.Path())
	}
}

func TestUnitOf(t *testing.T) {
	for own, want := range map[string]string{
		"/app.slice/g.service":            "/app.slice/g.service",
		"/app.slice/g.service/supervisor": "/app.slice/g.service",
		"/app.slice/g.service/.control":   "/app.slice/g.service",
		"/":                               "/",
	} {
		if got := unitOf(own); got != want {
			t.Errorf("unit of %s = %s, want %s", own, got, want)
		}
	}
}

func TestDelegatedSaysWhyNot(t *testing.T) {
	c, err := Delegated()
	var no *NoCgroupError
	if (c == nil) != (err != nil) || err != nil && (!errors.As(err, &no) || no.Why == "") {
		t.Errorf("delegated = %v, %v, want a cgroup or a NoCgroupError with a reason", c, err)
	}
	// Root may write everywhere; that something was given away is another thing.
	if err := (&Cgroup{mount: t.TempDir(), path: "/"}).usable(); err == nil {
		t.Error("a directory without cgroup.procs is usable")
	}
}

// plain is a leaf in an ordinary directory, where the kernel does nothing.
func plain(t *testing.T) *Leaf {
	t.Helper()
	leaf := &Leaf{mount: t.TempDir(), path: "/web-1-abc"}
	must(t, os.MkdirAll(filepath.Join(leaf.Dir(), "a", "b"), 0o755))
	return leaf
}

func TestRemoveOpensWhatWasClosed(t *testing.T) {
	leaf := plain(t)
	must(t, os.Chmod(filepath.Join(leaf.Dir(), "a", "b"), 0))
	must(t, os.Chmod(filepath.Join(leaf.Dir(), "a"), 0))
	must(t, leaf.Remove(t.Context()))
}

// A container that may mount its cgroup may close all of it, from the inside out.
func TestClosedLeafIsKilled(t *testing.T) {
	testenv.NeedUnprivileged(t)
	leaf, pids := occupied(t)
	must(t, leaf.walk(func(dir string) error {
		for _, file := range []string{"cgroup.kill", "cgroup.events", "cgroup.freeze", "cgroup.procs", ""} {
			must(t, os.Chmod(filepath.Join(dir, file), 0))
		}
		return nil
	}))
	must(t, leaf.Freeze(t.Context(), true))
	procs, err := leaf.Procs()
	if must(t, err); len(procs) != len(pids) {
		t.Errorf("processes %v, want %v", procs, pids)
	}
	must(t, leaf.Kill(t.Context()))
	if !dead(pids[0]) || !dead(pids[1]) {
		t.Error("a process has survived")
	}
	must(t, leaf.Remove(t.Context()))
}

func TestRemoveNamesWhatIsLeft(t *testing.T) {
	leaf := plain(t)
	file := filepath.Join(leaf.Dir(), "a", "file")
	must(t, os.WriteFile(file, nil, 0o600))
	err := leaf.Remove(t.Context())
	if !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("remove = %v, want ENOTEMPTY", err)
	}
	if _, err := os.Stat(filepath.Join(leaf.Dir(), "a", "b")); err == nil {
		t.Error("it did not go on after the error")
	}
}

func TestMemory(t *testing.T) {
	leaf := plain(t)
	events, err := leaf.Memory()
	if must(t, err); events.Known {
		t.Error("known without the controller")
	}
	file := filepath.Join(leaf.Dir(), "memory.events")
	must(t, os.WriteFile(file, []byte("low 0\noom 3\noom_kill 2\noom_group_kill 0\n"), 0o600))
	events, err = leaf.Memory()
	if must(t, err); events != (MemoryEvents{OOMKill: 2, Known: true}) {
		t.Errorf("events = %+v", events)
	}
	must(t, os.WriteFile(file, []byte("nonsense"), 0o600))
	if _, err = leaf.Memory(); err == nil {
		t.Error("nonsense is accepted")
	}
}
