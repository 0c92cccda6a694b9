package launch

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/testenv"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

func TestFake(t *testing.T) { suite(t, fakeBench) }

func TestYouki(t *testing.T) { realSuite(t, "youki") }
func TestRunc(t *testing.T)  { realSuite(t, "runc") }

func TestCrun(t *testing.T) {
	if _, err := os.Stat("/sys/fs/cgroup/unified/cgroup.controllers"); err == nil {
		testenv.Skip(t, "needs cgroup v2 alone, as crun does: run it in the test host (make test)")
	}
	realSuite(t, "crun")
}

func realSuite(t *testing.T, name string) {
	path := testenv.Runtime(t, name)
	open := func(t *testing.T) *bench { return newBench(t, path, 0) }
	suite(t, open)
	verifySuite(t, open)
	weakSuite(t, name, path)
	containerSuite(t, open)
	overlaySuite(t, name, path)
	rangeSuite(t, name, path)
	freezeSuite(t, open)
	trafficSuite(t, open)
	proxySuite(t, open)
	checkSuite(t, open)
	wayOutSuite(t, open)
	hostileSuite(t, open)
}

// suite is what a launch must do whatever runtime makes its container.
func suite(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *bench){
		"exit code":                  suiteExitCode,
		"output":                     suiteOutput,
		"kill":                       suiteKill,
		"kill reaches what forked":   suiteKillForked,
		"signal with handler":        suiteSignalHandled,
		"signal without handler":     suiteSignalUnhandled,
		"signal ignored":             suiteSignalIgnored,
		"program that is missing":    suiteMissingProgram,
		"clean":                      suiteClean,
		"clean of a running launch":  suiteCleanRunning,
		"clean of what never ran":    suiteCleanCreated,
		"ids":                        suiteIDs,
		"secrets":                    suiteSecrets,
		"what is missing":            suiteMissing,
		"prepare cut at any moment":  suiteCutPrepare,
		"clean beside a prepare":     suiteCleanBesidePrepare,
		"calls for unknown launches": suiteUnknown,
		"crash":                      suiteCrash,
		"another image":              suiteImage,
		"another image, end missed":  suiteImageMissesTheEnd,
		"another image of created":   suiteImageOfCreated,
		"another image of leftovers": suiteImageOfLeftover,
		"no other image":             suiteContinue,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func suiteExitCode(t *testing.T, b *bench) {
	for _, want := range []int{0, 7, 255} {
		r := b.start(b.gateway("exit " + strconv.Itoa(want)))
		if exit := r.exit(); exit != (supervisor.Exit{Code: want}) {
			t.Errorf("exit = %+v, want code %d", exit, want)
		}
		r.clean()
	}
}

// The last words of a program are there before the news of its end.
func suiteOutput(t *testing.T, b *bench) {
	r := b.start(b.gateway("i=0; while [ $i -lt 500 ]; do echo $i; i=$((i+1)); done; echo last >&2; exit 1"))
	id := r.id()
	if exit := r.exit(); exit.Code != 1 {
		t.Errorf("exit = %+v", exit)
	}
	lines, _ := b.out.of(id)
	if len(lines) != 501 {
		t.Fatalf("%d lines at the exit, want 501", len(lines))
	}
	count := 0
	for _, l := range lines {
		if l.Gateway != gatewayName || l.Number != r.n || l.ContainerID != id {
			t.Fatalf("line = %+v, want it to name the launch", l)
		}
		if l.Stream == "stderr" {
			if string(l.Text) != "last" {
				t.Errorf("stderr = %q", l.Text)
			}
			continue
		}
		if string(l.Text) != strconv.Itoa(count) {
			t.Fatalf("line %d = %q", count, l.Text)
		}
		count++
	}
}

func suiteKill(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("trap '' TERM; echo ready; sleep 1000"))
	must(t, r.Kill(t.Context(), r.n))
	if exit := r.exit(); exit != (supervisor.Exit{Signal: syscall.SIGKILL}) {
		t.Errorf("exit = %+v, want SIGKILL", exit)
	}
	must(t, r.Kill(t.Context(), r.n)) // again
	must(t, r.Signal(t.Context(), r.n, syscall.SIGTERM))
	r.clean()
	must(t, r.Kill(t.Context(), r.n)) // gone
	must(t, r.Signal(t.Context(), r.n, syscall.SIGTERM))
}

func suiteKillForked(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("setsid sh -c 'trap \"\" TERM HUP; echo ready; sleep 1000' & wait"))
	waitFor(t, "a shell, its child and the sleep of that", func() bool { return len(alive()) == 3 })
	must(t, r.Kill(t.Context(), r.n))
	r.exit()
	if left := alive(); len(left) > 0 {
		t.Errorf("alive at the exit: %v", left)
	}
}

func suiteSignalHandled(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("trap 'echo caught; exit 3' TERM; echo ready; sleep 1000 & wait"))
	id := r.id()
	must(t, r.Signal(t.Context(), r.n, syscall.SIGTERM))
	if exit := r.exit(); exit != (supervisor.Exit{Code: 3}) {
		t.Errorf("exit = %+v, want code 3 from the handler", exit)
	}
	if texts := b.out.texts(id); !slices.Contains(texts, "caught") {
		t.Errorf("output at the exit = %q", texts)
	}
}

// PID 1 without a handler would drop SIGTERM, and use up the whole stop timeout.
func suiteSignalUnhandled(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("echo ready; exec sleep 1000"))
	waitFor(t, "the exec", func() bool { return strings.HasPrefix(commandLine(r.pid()), "sleep") })
	must(t, r.Signal(t.Context(), r.n, syscall.SIGTERM))
	if exit := r.exit(); exit != (supervisor.Exit{Signal: syscall.SIGKILL}) {
		t.Errorf("exit = %+v, want SIGKILL", exit)
	}
}

func suiteSignalIgnored(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("trap '' TERM; trap 'echo alive' USR1; echo ready; while :; do sleep 1000 & wait $!; done"))
	must(t, r.Signal(t.Context(), r.n, syscall.SIGTERM))
	must(t, r.Signal(t.Context(), r.n, syscall.SIGUSR1))
	r.says("alive")
}

func suiteMissingProgram(t *testing.T, b *bench) {
	g := b.gateway("")
	g.Command = []string{"/broken"}
	l := launcherOf(b.Host, g)
	exits, err := l.Prepare(t.Context(), 1, g.Revision())
	if err == nil { // runc and crun look for the program at create
		err = l.Start(t.Context(), 1)
	}
	if err == nil {
		err = (<-exits).Cause()
	}
	if err == nil || !strings.Contains(err.Error(), "/broken") {
		t.Errorf("error = %v: it does not tell why", err)
	}
	must(t, l.Clean(t.Context(), 1))
}

func suiteClean(t *testing.T, b *bench) {
	r := b.start(b.gateway("exit 0"))
	before := r.Info(r.n)
	r.exit()
	r.clean()
	b.nothingLeft(t)
	if before.ID == "" || before.Pid == 0 || before.Runtime == "" || before.Bare {
		t.Errorf("info of a running launch = %+v", before)
	}
	before.Pid, before.Cleaned = 0, true
	before.Digest = r.Info(r.n).Digest                         // of a source under an overlay it is told when it is known
	if info := r.Info(r.n); !reflect.DeepEqual(info, before) { // who hears of the end later asks for the id
		t.Errorf("info of a cleaned launch = %+v, want %+v", info, before)
	}
}

func suiteCleanRunning(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("trap '' TERM; echo ready; sleep 1000"))
	r.clean()
	b.nothingLeft(t)
	if exit := r.exit(); exit.Signal != syscall.SIGKILL {
		t.Errorf("exit = %+v", exit)
	}
}

func suiteCleanCreated(t *testing.T, b *bench) {
	r := b.prepare(b.gateway("echo never"))
	id := r.id()
	r.clean()
	b.nothingLeft(t)
	r.exit() // there is one, whatever it says
	if texts := b.out.texts(id); slices.Contains(texts, "never") {
		t.Error("the program ran")
	}
}

func suiteIDs(t *testing.T, b *bench) {
	seen := make(map[string]bool)
	for range 3 {
		b.next = 0 // the number comes again, as after a restart of gatewayd
		r := b.prepare(b.gateway(""))
		if !isID(r.id()) || seen[r.id()] {
			t.Errorf("id = %q after %v", r.id(), seen)
		}
		seen[r.id()] = true
		r.clean()
	}
}

func suiteSecrets(t *testing.T, b *bench) {
	const canary = "c4n4ry-in-a-coal-mine"
	t.Setenv("TOKEN", canary)
	g := b.gateway("[ \"$TOKEN\" = " + canary[:4] + "'" + canary[4:] + "' ] && echo ready; sleep 1000")
	g.Env.Required = []string{"TOKEN"}
	g.Env.Static = map[string]string{"OTHER": canary}
	r := b.prepare(g)
	info, err := os.Stat(filepath.Join(r.dir(), "config.json"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode of config.json = %v", info.Mode())
	}
	b.without(t, canary)
	must(t, r.Start(t.Context(), r.n))
	r.says("ready")
	b.without(t, canary)
}

// without fails for a file of ours that holds text.
func (b *bench) without(t *testing.T, text string) {
	t.Helper()
	for _, dir := range []string{b.Dirs.Runtime, b.Dirs.State} {
		must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), text) {
				t.Errorf("%s holds a secret", path)
			}
			return nil
		}))
	}
}

// waitFor waits for what no event tells of: the state of a foreign process.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !condition(); {
		if time.Now().After(late) {
			t.Fatalf("waited %v for %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// launcherOf is a Launcher that knows g as its one revision.
func launcherOf(host *Host, g config.Gateway) *Launcher {
	l := NewLauncher(host)
	_ = l.Define(g.Revision(), g) // Prepare tells what was wrong
	return l
}
