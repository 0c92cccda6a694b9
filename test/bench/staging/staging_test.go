package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/test/bench/machine"
)

// TestMain is also what the program is when it re-executes itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && commands[os.Args[1]] != nil {
		if err := start(context.Background(), os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// Else each process that the race detector watches sleeps for a second at its end.
	if err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

var update = flag.Bool("update", false, "accept what is written as right")

func TestMarkdown(t *testing.T) {
	ours := Series{Name: "gatewayd", Process: []float64{200, 220, 210}, Call: []float64{198, 199, 197}, RSS: 18e6, OwnRSS: 18e6}
	r := Result{
		Machine:    machine.Machine{Processors: 2, Model: "Some CPU", Kernel: "6.18.0", System: "Debian GNU/Linux 12"},
		FileSystem: "ext4 (rw)", Reflink: "xfs (rw)", On: "loop devices", Floor: 11e6, Samples: 3,
		Measures: []Measure{
			{Key: "10-files/overlay", Tree: "10 files", What: "overlay: prepare", Cache: "warm", Inside: true, goals: []goal{atMost(3)},
				Series: []Series{{Name: "gatewayd", Process: []float64{4, 5, 6}, Call: []float64{0.8, 0.41, 0.9}}}},
			{Key: "x/copy", Tree: "x: 1,000 entries", Entries: 1000, What: "copy", Cache: "warm", Series: []Series{
				ours, {Name: "`cp`", Process: []float64{420, 441, 400}, RSS: 3e6}, {Name: "`rsync`", Process: []float64{1234.5}, RSS: 12e6},
			}, goals: []goal{timesAsFast(0, 2), memoryAtMost(16e6), linear("y/copy")}},
			{Key: "x/removal", Tree: "x: 1,000 entries", Entries: 1000, What: "removal", Cache: "cold", Series: []Series{
				ours, {Name: "`rm`", Skipped: "rm: cannot remove 'dest':\nPermission denied"},
			}, goals: []goal{notSlower(0), sameAs("x/removal", "itself", 2)}},
			{Key: "y/copy", Tree: "y: 100 entries", Entries: 100, What: "copy", Cache: "warm", Series: []Series{
				{Name: "gatewayd", Process: []float64{9, 9, 9}, Call: []float64{6, 6, 6}, RSS: 11e6, OwnRSS: 5e6}, {Name: "`cp`", Process: []float64{8.8}},
			}, goals: []goal{notSlower(0), sameAs("x/copy", "as x", 1)}},
		},
	}
	for i := range r.Measures {
		r.concludeOn(&r.Measures[i])
	}
	golden(t, "testdata/table.md", r)
	r.Measures[1].Series[0] = Series{Name: "gatewayd", Skipped: "no such thing"}
	r.Measures, r.WarmOnly = r.Measures[1:2], "permission denied"
	r.Measures[0].Goals = nil
	r.concludeOn(&r.Measures[0])
	golden(t, "testdata/without-ours.md", r)
}

func golden(t *testing.T, path string, r Result) {
	t.Helper()
	var got strings.Builder
	if err := r.WriteMarkdown(&got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got:\n%s\nwant, or -update:\n%s", got.String(), want)
	}
}

// Everything that is done to a tree is done once, and ours does all of it. The
// other trees differ in size alone.
func TestRun(t *testing.T) {
	dir, source := t.TempDir(), t.TempDir()
	for _, name := range []string{"a/b/c/file", "a/other", "d/e/file"} {
		path := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	archive := filepath.Join(t.TempDir(), "tree.tar")
	if out, err := exec.Command("tar", "-C", source, "-cf", archive, ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	var out bytes.Buffer
	err := start(t.Context(), []string{"-dir", dir, "-tree", archive, "-run", "^(10-files|rootfs)/", "-samples", "1", "-cold=false", "-json"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var r Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Measures) != 9 || r.FileSystem == "unknown" || r.WarmOnly == "" {
		t.Errorf("%d measures on %s, cold left out: %s", len(r.Measures), r.FileSystem, r.WarmOnly)
	}
	for _, m := range r.Measures {
		ours := m.Series[0]
		if strings.HasSuffix(m.Key, "/overlay-removal") && strings.Contains(ours.Skipped, "unshare") {
			continue // no user namespaces here
		}
		if ours.Skipped != "" || len(ours.Process) != 1 || len(ours.Call) != 1 || ours.Process[0] < ours.Call[0] || m.Entries == 0 {
			t.Errorf("%s of %d entries: %+v", m.Key, m.Entries, ours)
		}
		if strings.Contains(m.Key, "copy") && ours.memory(r.Floor) < 1e6 {
			t.Errorf("%s in %d bytes of memory", m.Key, ours.memory(r.Floor))
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestPlan(t *testing.T) {
	b := &bench{}
	b.trees = allTrees(options{tree: "x.tar", scale: 1}, t.TempDir(), t.TempDir())
	used := map[*tree]bool{}
	for _, m := range b.plan() {
		used[m.tree] = true
	}
	if len(b.plan()) != 20 || len(used) != len(b.trees) {
		t.Errorf("%d measures of %d trees, and there are %d", len(b.plan()), len(used), len(b.trees))
	}
}

// A contender that does not do its work has no figures.
func TestWorkIsChecked(t *testing.T) {
	b, err := setUp(options{dir: t.TempDir(), samples: 1, scale: 1000})
	if err != nil {
		t.Fatal(err)
	}
	m := b.removals(b.freshCopy)
	m.tree = b.trees[tenFiles]
	m.contenders = []contender{
		{name: "lazy", argv: func(*tree) []string { return []string{"true"} }},
		{name: "failing", argv: func(*tree) []string { return []string{"ls", m.tree.place + "/absent"} }},
		{name: "absent", needs: []string{"no-such-program"}},
		rm(),
	}
	all, err := b.measure(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"lazy leaves 11 entries of 11", "cannot access 'absent'", "no-such-program", ""} {
		got := all[0].Series[i]
		if !strings.Contains(got.Skipped, want) || (want == "") != (len(got.Process) == 1) {
			t.Errorf("%s: %+v, want %q", got.Name, got, want)
		}
	}
	if err := b.cleanUp(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCloseSome(t *testing.T) {
	root := t.TempDir()
	for i := range 30 {
		if err := os.MkdirAll(fmt.Sprintf("%s/%d/%d", root, i%3, i), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := closeSome(t.Context(), []string{root}); err != nil {
		t.Fatal(err)
	}
	closed := 0
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if info, e := d.Info(); e == nil && info.Mode().Perm() == 0 {
			closed++
			_ = os.Chmod(path, 0o755)
			return fs.SkipDir
		}
		return nil
	})
	if closed == 0 || closed > 4 {
		t.Errorf("%d of 33 directories are closed", closed)
	}
}
