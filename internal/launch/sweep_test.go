package launch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// swept is Sweep, which must work and leave nothing, also when it is called
// again.
func (b *bench) swept(t *testing.T) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ids, err := b.Sweep(ctx)
	if err != nil {
		t.Errorf("sweep: %v", err)
	}
	waitFor(t, "the end of what was dying", func() bool { return !slices.ContainsFunc(descendants(), dying) })
	for _, pid := range alive() {
		t.Errorf("alive after the sweep: %d %q", pid, commandLine(pid))
	}
	reapAll() // as the init of the machine does for a daemon that is dead
	b.nothingLeft(t)
	again, err := b.Sweep(ctx)
	if err != nil || len(again) > 0 {
		t.Errorf("second sweep = %v, %v", again, err)
	}
	return ids
}

// dying is a process that has given its memory back and is no zombie yet: a call
// of the killed daemon, which the kernel has killed with it. What the daemon was
// just forking, and has its command line still, is on its way, too.
func dying(p process) bool {
	line := commandLine(p.pid)
	return p.state != "Z" && (line == "" || strings.HasPrefix(line, "/proc/self/exe daemon "))
}

// A daemon that is killed leaves a launch in the midst of anything.
func suiteCrash(t *testing.T, b *bench) {
	const escaping = "setsid sh -c 'trap \"\" TERM HUP; sleep 1000' & mkdir -p /tmp/in; echo ready; sleep 1000"
	for _, step := range []string{"created", "started"} {
		t.Run(step, func(t *testing.T) {
			b.killed(t, b.path, step, escaping, nil)
			if len(alive()) == 0 {
				t.Fatal("nothing is left to sweep")
			}
			if ids := b.swept(t); len(ids) != 1 || !isID(ids[0]) {
				t.Errorf("swept = %q, want one launch", ids)
			}
		})
	}
	t.Run("any moment", func(t *testing.T) {
		for after := time.Millisecond; after < 300*time.Millisecond; after *= 2 {
			b.killed(t, b.path, "preparing", "echo started; sleep 1000", func() { time.Sleep(after) })
			b.swept(t)
		}
		b.killed(t, b.path, "cleaning", "echo started; sleep 1000", nil)
		b.swept(t)
	})
}

// A daemon that is killed while the runtime hangs.
func TestCrashWhileTheRuntimeHangs(t *testing.T) {
	for behaviour, step := range map[string]string{
		"create-hang": "preparing", "create-hang-late": "preparing", "start-hang": "preparing", "delete-hang": "cleaning",
	} {
		t.Run(behaviour, func(t *testing.T) {
			b := told(t, 0, behaviour)
			b.killed(t, b.path, step, "echo started; sleep 1000", func() {
				waitFor(t, "the hanging call", func() bool { return b.hangs(strings.Split(behaviour, "-")[0]) })
			})
			b.swept(t)
		})
	}
}

// hangs says whether a call op of the runtime has been there for a while: longer
// than it takes to come to where it hangs.
func (b *bench) hangs(op string) bool {
	before := alive()
	if !slices.ContainsFunc(before, func(pid int) bool { return strings.Contains(commandLine(pid), " "+op+" ") }) {
		return false
	}
	time.Sleep(100 * time.Millisecond)
	return slices.Equal(before, alive())
}

// stranger is a process that Sweep must not touch.
func stranger(t *testing.T, path string, args ...string) int {
	t.Helper()
	cmd := &exec.Cmd{Path: path, Args: args}
	must(t, cmd.Start())
	t.Cleanup(func() { end(cmd.Process.Pid) })
	return cmd.Process.Pid
}

func TestSweepTouchesNothingElse(t *testing.T) {
	b := told(t, 0, "")
	id := bundle.NewID(gatewayName, 1)
	other := bundle.NewID(gatewayName, 2)
	strangers := []int{
		stranger(t, "/usr/bin/tail", "tail", "-f", "/dev/null", filepath.Join(b.Dirs.Launches(), id)), // an operator who looks at it
		stranger(t, self(t), "gatewayd", "program", "idle", id+"x"),                                   // another launch
		stranger(t, self(t), "gatewayd", "program", "idle", "x-"+id),                                  // of another gateway
		stranger(t, self(t), "gatewayd", "program", "idle", ".staging", gatewayName),                  // names no launch
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	must(t, err)
	now, err := runtime.Identify(strangers[0])
	must(t, err)
	b.plant(id, fmt.Sprintf(`{"process":{"pid":%d,"start":%d,"boot":%q}}`, strangers[0], now.Start+1, strings.TrimSpace(string(boot))))
	b.plant(other, fmt.Sprintf(`{"process":{"pid":%d,"start":%d,"boot":"of another day"}}`, strangers[1], now.Start))
	// A runtime kills the pid in its state, whoever has that now.
	must(t, os.Mkdir(filepath.Join(b.Dirs.RuntimeRoot(), id), 0o700))
	must(t, os.WriteFile(filepath.Join(b.Dirs.RuntimeRoot(), id, "pid"), fmt.Append(nil, strangers[2]), 0o600))
	data := filepath.Join(b.Dirs.Data(gatewayName), "file")
	must(t, os.MkdirAll(filepath.Dir(data), 0o700))
	must(t, os.WriteFile(data, []byte("persistent"), 0o600))
	leaf := b.foreignLeaf(t)

	ids, err := b.Sweep(t.Context())
	must(t, err)
	slices.Sort(ids)
	if want := []string{id, other}; !slices.Equal(ids, want) {
		t.Errorf("swept = %q, want %q", ids, want)
	}
	b.noFiles(t)
	for _, pid := range strangers {
		if !slices.Contains(alive(), pid) {
			t.Errorf("the stranger %q is gone", commandLine(pid))
		}
	}
	if _, err := os.Stat(data); err != nil {
		t.Errorf("persistent data: %v", err)
	}
	if leaf != "" {
		if _, err := os.Stat(leaf); err != nil {
			t.Errorf("the cgroup of somebody else: %v", err)
		}
	}
}

// foreignLeaf makes a cgroup beside those of the launches, which in a shared
// cgroup may be anybody's.
func (b *bench) foreignLeaf(t *testing.T) string {
	t.Helper()
	if b.Cgroup == nil {
		return ""
	}
	leaf, err := b.Cgroup.Leaf("somebody-1-abcdefghij")
	must(t, err)
	t.Cleanup(func() { must(t, leaf.Remove(context.Background())) })
	return leaf.Dir()
}

// plant makes the directory of a launch with this record.
func (b *bench) plant(id, record string) {
	b.t.Helper()
	dir := filepath.Join(b.Dirs.Launches(), id)
	must(b.t, os.MkdirAll(dir, 0o700))
	must(b.t, os.WriteFile(filepath.Join(dir, "record.json"), []byte(record), 0o600))
}

func TestSweepSurvivesGarbage(t *testing.T) {
	b := told(t, 0, "")
	for i, record := range []string{"", "{", "null", "[]", `{"process":7}`, `{"process":{"pid":-1}}`, `{"process":{"pid":1,"start":0}}`,
		`{"process":{"pid":4294967297}}`, `{"process":{"pid":9223372036854775807}}`, `{"process":{"pid":1e99}}`, strings.Repeat("[", 1<<20)} {
		b.plant(bundle.NewID(gatewayName, i+1), record)
	}
	elsewhere := filepath.Join(b.dir, "elsewhere")
	must(t, os.Mkdir(elsewhere, 0o700))
	must(t, os.WriteFile(filepath.Join(elsewhere, "config.json"), []byte("mine"), 0o600))
	id := bundle.NewID(gatewayName, 100)
	for _, dir := range []string{b.Dirs.Launches(), b.Dirs.Secrets(), b.Dirs.Rootfs(), b.Dirs.RuntimeRoot()} {
		must(t, os.Symlink(elsewhere, filepath.Join(dir, id)))
		must(t, os.WriteFile(filepath.Join(dir, bundle.NewID(gatewayName, 101)), nil, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "."+bundle.NewID(gatewayName, 102)+".delete.log"), nil, 0o600))
		must(t, os.MkdirAll(filepath.Join(dir, bundle.StagingPrefix+bundle.NewID(gatewayName, 103)+"-abcdefghij", "half"), 0o700))
		must(t, os.MkdirAll(filepath.Join(dir, bundle.RemovingPrefix+bundle.NewID(gatewayName, 105), "half"), 0o700))
		must(t, os.MkdirAll(filepath.Join(dir, bundle.RemovingPrefix+bundle.StagingPrefix+"x", "half"), 0o700))
	}
	directory := bundle.NewID(gatewayName, 104)
	must(t, os.MkdirAll(filepath.Join(b.Dirs.Launches(), directory, "record.json"), 0o700))
	must(t, makeClosed(filepath.Join(b.Dirs.Launches(), directory, "config.json", "closed")))
	if !b.Left() {
		t.Error("nothing is left, says Left")
	}
	b.swept(t)
	if data, err := os.ReadFile(filepath.Join(elsewhere, "config.json")); string(data) != "mine" {
		t.Errorf("what a symbolic link names: %q, %v", data, err)
	}
}

// Without a runtime, as when it was uninstalled since.
func TestSweepWithoutRuntime(t *testing.T) {
	b := told(t, 0, "")
	b.killed(t, b.path, "started", "echo started; sleep 1000", nil)
	b.Runtime = noRuntime
	b.swept(t)
}

func TestIDs(t *testing.T) {
	for _, gateway := range []string{"a", "web", "web-2", "0-0", "a-very-long-name-of-32-characters"} {
		if id := bundle.NewID(gateway, 17); !isID(id) {
			t.Errorf("%q is none", id)
		}
	}
	id := bundle.NewID("web", 1)
	for _, name := range []string{"", "web", "web-1", "-1-" + id, "." + id, id + ".log", bundle.StagingPrefix + id + "-abcdefghij", "../" + id, id + "\n"} {
		if isID(name) {
			t.Errorf("%q is one", name)
		}
	}
}

// What a kill has left of a file that was to take the place of another.
func TestKillInATryOfOverlaysLeavesNothing(t *testing.T) {
	b := fakeBench(t)
	must(t, os.WriteFile(b.workedAside(), []byte("{"), 0o600))
	_, err := b.Sweep(t.Context())
	must(t, err)
	if _, err := os.Stat(b.workedAside()); !os.IsNotExist(err) {
		t.Errorf("it is left: %v", err)
	}
}

// What lies beside the tree of a launch goes with it.
func TestSweepOfSockets(t *testing.T) {
	b := fakeBench(t)
	inside := filepath.Join(b.Dirs.Rootfs(), "web-1-abcdefghij.listen0", "in", "side")
	must(t, os.MkdirAll(inside, 0o700))
	_, err := b.Sweep(t.Context(), "web-1-abcdefghij")
	must(t, err)
	if _, err := os.Stat(inside); err != nil {
		t.Errorf("what belongs to a launch that lives is swept: %v", err)
	}
	ids, err := b.Sweep(t.Context())
	must(t, err)
	if !slices.Equal(ids, []string{"web-1-abcdefghij"}) {
		t.Errorf("swept %q", ids)
	}
	b.noFiles(t)
}

// A sweep that is killed must leave what nobody has heard of to the next one.
func TestSweepTellsOfALaunchBeforeItForgetsIt(t *testing.T) {
	b := fakeBench(t)
	const id = "web-1-aaaaaaaaaa"
	launched, tree := filepath.Join(b.Dirs.Launches(), id), filepath.Join(b.Dirs.Rootfs(), id)
	for _, dir := range []string{launched, tree} {
		must(t, os.Mkdir(dir, 0o700))
	}
	var told []string
	b.Swept = func(ids []string) {
		told = ids
		_, nameErr := os.Stat(launched)
		_, treeErr := os.Stat(tree)
		if nameErr != nil || !os.IsNotExist(treeErr) {
			t.Errorf("when it is told: %v, %v", nameErr, treeErr)
		}
	}
	if ids := b.swept(t); !slices.Equal(ids, []string{id}) || !slices.Equal(told, ids) {
		t.Errorf("swept %v, told %v", ids, told)
	}
}
