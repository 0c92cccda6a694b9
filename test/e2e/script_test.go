package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// Scripts of the binary alone. Beside testscript's own commands there are:
//
//	exits CODE PROGRAM ARG…    run it and compare its exit code
//	await CODE PROGRAM ARG…    run it again and again until that is its exit code
//	relaunched GATEWAY N       wait until a launch after N is ready
//	envsubst FILE              replace the variables in a file
//	notify-socket              listen to sd_notify, and set NOTIFY_SOCKET
//	[!] notified TEXT          TEXT was received: wait for it; or: it was not
//	field GATEWAY KEY NAME     set the variable NAME to a value of status --json
//	[!] equal A B
//	signal NAME                to the one program in the background
//	empty                      nothing is left of what gatewayd made
func TestScripts(t *testing.T) { runScripts(t, "testdata/script") }

// TestDaemonScripts run gateways in containers.
func TestDaemonScripts(t *testing.T) {
	testenv.NeedUnprivileged(t)
	testenv.Runtime(t, "youki")
	testenv.NeedHost(t) // of the machine's own gatewayd and ports they know nothing
	runScripts(t, "testdata/daemon")
}

func runScripts(t *testing.T, dir string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir, Setup: setUpScript, Deadline: time.Now().Add(4 * patience), // wait has no limit of its own
		RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "await": await, "notify-socket": notifySocket, "notified": notified,
			"envsubst": envsubst, "relaunched": relaunched, "field": field, "equal": equal, "signal": sendSignal, "empty": empty,
		},
	})
}

// setUpScript gives a script directories of its own. GATEWAYD_SCOPE says that
// the cgroup which the tests run in is gatewayd's to use, as in a scope.
func setUpScript(env *testscript.Env) error {
	runtimeDir, err := os.MkdirTemp("", "e2e") // not in $WORK: paths of sockets are short
	if err != nil {
		return err
	}
	env.Defer(func() { _ = os.RemoveAll(runtimeDir) })
	rootfs := filepath.Join(env.WorkDir, "rootfs")
	if err := os.Mkdir(rootfs, 0o755); err != nil {
		return err
	}
	data, err := os.ReadFile(programs.gateway)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(rootfs, "gateway"), data, 0o755); err != nil {
		return err
	}
	env.Setenv("PATH", filepath.Dir(programs.gatewayd)+":"+env.Getenv("PATH"))
	env.Setenv("XDG_RUNTIME_DIR", runtimeDir)
	env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
	env.Setenv("GATEWAYD_CONFIG", filepath.Join(env.WorkDir, "gatewayd.toml"))
	env.Setenv("GATEWAYD_SCOPE", "1")
	env.Setenv("USER_RUNTIME_DIR", os.Getenv("XDG_RUNTIME_DIR"))
	for _, name := range []string{"PORT", "PORT2", "PORT3"} {
		port, err := testenv.FreePort()
		if err != nil {
			return err
		}
		env.Setenv(name, port)
	}
	env.Values["notified"] = &notifications{}
	return nil
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	if code := execute(ts, args[1:]); strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, not %s", code, args[0])
	}
}

// execute runs a program with the script's environment and output.
func execute(ts *testscript.TestScript, args []string) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, lookPath(ts, args[0]), args[1:]...)
	command.Dir, command.Env = ts.MkAbs("."), environ(ts)
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if command.ProcessState == nil {
		ts.Fatalf("run %v: %v", args, err)
	}
	fmt.Fprint(ts.Stdout(), stdout.String())
	fmt.Fprint(ts.Stderr(), stderr.String())
	return command.ProcessState.ExitCode()
}

func lookPath(ts *testscript.TestScript, name string) string {
	if name == "gatewayd" {
		return programs.gatewayd
	}
	path, err := exec.LookPath(name)
	ts.Check(err)
	return path
}

func environ(ts *testscript.TestScript) (list []string) {
	for _, name := range []string{"PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "GATEWAYD_CONFIG", "GATEWAYD_INSTANCE", "GATEWAYD_SCOPE", "XDG_CONFIG_HOME"} {
		if value := ts.Getenv(name); value != "" {
			list = append(list, name+"="+value)
		}
	}
	return list
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	within(ts, func() error {
		if code := execute(ts, args[1:]); strconv.Itoa(code) != args[0] {
			return fmt.Errorf("exit code %d, not %s", code, args[0])
		}
		return nil
	})
}

func within(ts *testscript.TestScript, holds func() error) {
	deadline := time.Now().Add(patience)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not within %s: %v", patience, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func relaunched(ts *testscript.TestScript, _ bool, args []string) {
	before, err := strconv.Atoi(args[1])
	ts.Check(err)
	within(ts, func() error {
		g := gatewayOf(ts, args[0])
		if n, _ := g["launch"].(float64); g["phase"] != "ready" || int(n) <= before {
			return fmt.Errorf("it is %v", g)
		}
		return nil
	})
}

func envsubst(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, []byte(os.Expand(ts.ReadFile(path), ts.Getenv)), 0o600))
}

type notifications struct {
	socket *net.UnixConn
	all    []string
}

func notifySocket(ts *testscript.TestScript, _ bool, _ []string) {
	path := filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	ts.Check(err)
	ts.Defer(func() { _ = socket.Close() })
	ts.Value("notified").(*notifications).socket = socket
	ts.Setenv("NOTIFY_SOCKET", path)
}

func notified(ts *testscript.TestScript, neg bool, args []string) {
	n := ts.Value("notified").(*notifications)
	limit := patience
	if neg {
		limit = 10 * time.Millisecond // what was sent is in the socket by now
	}
	ts.Check(n.socket.SetReadDeadline(time.Now().Add(limit)))
	buffer := make([]byte, 1<<16)
	for !n.have(args[0]) {
		size, err := n.socket.Read(buffer)
		if err != nil {
			break
		}
		n.all = append(n.all, string(buffer[:size]))
	}
	if n.have(args[0]) == neg {
		ts.Fatalf("received %q", n.all)
	}
}

func (n *notifications) have(text string) bool {
	return slices.ContainsFunc(n.all, func(datagram string) bool { return strings.Contains(datagram, text) })
}

func field(ts *testscript.TestScript, _ bool, args []string) {
	g := gatewayOf(ts, args[0])
	value, ok := g[args[1]]
	if !ok {
		ts.Fatalf("no %s in %v", args[1], g)
	}
	if number, ok := value.(float64); ok {
		value = int(number)
	}
	ts.Setenv(args[2], fmt.Sprint(value))
}

// gatewayOf is what status --json says of one gateway.
func gatewayOf(ts *testscript.TestScript, name string) map[string]any {
	command := exec.Command(programs.gatewayd, "status", "--json", name)
	command.Env = environ(ts)
	out, _ := command.Output() // 3: not all ready
	var report struct{ Gateways []map[string]any }
	if err := json.Unmarshal(out, &report); err != nil || len(report.Gateways) != 1 {
		ts.Fatalf("status --json %s says %q: %v", name, out, err)
	}
	return report.Gateways[0]
}

func equal(ts *testscript.TestScript, neg bool, args []string) {
	if (args[0] == args[1]) == neg {
		ts.Fatalf("%s and %s", args[0], args[1])
	}
}

func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	running := ts.BackgroundCmds()
	if len(running) != 1 {
		ts.Fatalf("%d programs run in the background", len(running))
	}
	ts.Check(running[0].Process.Signal(unix.SignalNum("SIG" + args[0])))
}

func empty(ts *testscript.TestScript, _ bool, _ []string) {
	run := filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "gatewayd")
	state := filepath.Join(ts.Getenv("XDG_STATE_HOME"), "gatewayd")
	for _, dir := range []string{run + "/launches", run + "/runtime", run + "/secrets", state + "/rootfs"} {
		if left := names(dir); len(left) > 0 {
			ts.Fatalf("%s holds %v", dir, left)
		}
	}
	if left := processesNaming(run + "/"); len(left) > 0 {
		ts.Fatalf("processes are left: %v", left)
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	ts.Check(err)
	if strings.Contains(string(table), run) || strings.Contains(string(table), state) {
		ts.Fatalf("mounts are left:\n%s", table)
	}
}

func processesNaming(text string) (found []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		data, _ := os.ReadFile(path)
		if words := strings.ReplaceAll(string(data), "\x00", " "); strings.Contains(words, text) {
			found = append(found, words)
		}
	}
	return found
}
