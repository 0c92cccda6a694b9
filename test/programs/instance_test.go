package programs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

const (
	installed = "/usr/local/bin/gatewayd"
	// patience is generous: it is only used up by a test that fails.
	patience = 30 * time.Second
)

// instance is a gatewayd of a test's own, with one gateway.
type instance struct {
	t       *testing.T
	name    string // of the gateway
	dir     string
	address string // where clients connect to
	env     []string
	daemon  *exec.Cmd
	log     bytes.Buffer // whole when the daemon has ended
}

func newInstance(t *testing.T, p program) *instance {
	t.Helper()
	testenv.NeedHost(t)
	testenv.NeedUnprivileged(t)
	testenv.Runtime(t, "youki")
	if _, err := os.Stat(filepath.Join("trees", p.tree)); p.tree != "" && err != nil {
		testenv.Skip(t, "needs "+p.tree+": make setup-test says why it could not be had")
	}
	run, err := os.MkdirTemp("", "programs") // not t.TempDir: paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	i := &instance{t: t, name: p.name, dir: t.TempDir(), address: freeAddress(t)}
	if p.tree == "" {
		i.name = "web"
	}
	i.env = append(os.Environ(), "XDG_RUNTIME_DIR="+run, "XDG_STATE_HOME="+filepath.Join(i.dir, "state"),
		"GATEWAYD_CONFIG="+filepath.Join(i.dir, "gatewayd.toml"), "GATEWAYD_SCOPE=1")
	p.copyTree(t, filepath.Join(i.dir, "rootfs"))
	mustWrite(t, filepath.Join(i.dir, "gatewayd.toml"), i.localized(p.name+".toml"), 0o600)
	if p.mounts != "" {
		mustWrite(t, filepath.Join(i.dir, p.mounts), i.localized(p.mounts), 0o644)
	}
	return i
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := testenv.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// gatewayd is a command that speaks with this instance.
func (i *instance) gatewayd(args ...string) *exec.Cmd {
	command := exec.CommandContext(i.t.Context(), installed, args...)
	command.Env = i.env
	return command
}

// start returns when the gateway is ready.
func (i *instance) start() {
	i.t.Helper()
	i.daemon = exec.Command(installed, "run")
	i.daemon.Env, i.daemon.Stdout, i.daemon.Stderr = i.env, &i.log, &i.log
	if err := i.daemon.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(i.end)
	i.ready()
}

// end is for a test that has failed, whose containers have to go as well.
func (i *instance) end() {
	if i.daemon.ProcessState == nil {
		_ = i.daemon.Process.Signal(syscall.SIGTERM)
		_ = i.daemon.Wait()
	}
	if i.t.Failed() {
		i.t.Logf("gatewayd of %s said:\n%s", i.name, i.log.Bytes())
	}
}

func (i *instance) stop() {
	i.t.Helper()
	if err := i.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		i.t.Fatal(err)
	}
	if err := i.daemon.Wait(); err != nil {
		i.t.Errorf("gatewayd ended with %v", err)
	}
}

// report is what status --json says of the gateway.
type report struct {
	Phase   string
	Launch  int
	Pid     int
	Standby *struct {
		Launch int
		State  string
	}
}

func (i *instance) status() (report, error) {
	out, _ := i.gatewayd("status", "--json").Output() // 3: not ready; 4: not yet there
	var all struct{ Gateways []report }
	if err := json.Unmarshal(out, &all); err != nil || len(all.Gateways) != 1 {
		return report{}, fmt.Errorf("status says %q: %w", out, errors.Join(err))
	}
	return all.Gateways[0], nil
}

// await returns the first report that is as is wanted.
func (i *instance) await(what string, wanted func(report) bool) report {
	i.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		r, err := i.status()
		if err == nil && wanted(r) {
			return r
		}
		if time.Now().After(deadline) {
			i.t.Fatalf("%s: %s: not within %s: %+v, %v", i.name, what, patience, r, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (i *instance) ready() report {
	i.t.Helper()
	return i.await("ready", func(r report) bool { return r.Phase == "ready" })
}

func (i *instance) launch() int { return i.ready().Launch }

// kill has the process of the serving launch die, when its standby is there. It
// returns when it is dead, whether gatewayd knows that or not, and says which
// launch takes over; 0: one that is yet to be made.
func (i *instance) kill() (next int) {
	i.t.Helper()
	r := i.await("ready, with what waits to take over", func(r report) bool {
		return r.Phase == "ready" && (r.Standby == nil || r.Standby.State == "created" || r.Standby.State == "frozen")
	})
	if err := syscall.Kill(r.Pid, syscall.SIGKILL); err != nil {
		i.t.Fatal(err)
	}
	for !dead(r.Pid) {
		runtime.Gosched()
	}
	if r.Standby == nil {
		return 0
	}
	return r.Standby.Launch
}

// dead tells whether all of a process has ended, be it that nobody has asked how:
// its first thread can be a zombie while others still have its descriptors.
func dead(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := bytes.Cut(stat, []byte(") "))
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err != nil || (state[0] == 'Z' || state[0] == 'X') && len(threads) <= 1
}

// answers asks once: it is the next request that has to be answered.
func (i *instance) answers(want string) {
	i.t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + i.address + "/")
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
		i.t.Fatalf("answered %s %q: %v", answer.Status, body, err)
	}
}

// deploy has a new launch serve when it returns.
func (i *instance) deploy() {
	i.t.Helper()
	before := i.launch()
	if out, err := i.gatewayd("deploy", i.name, "--wait").CombinedOutput(); err != nil {
		i.t.Fatalf("deploy: %v: %s", err, out)
	}
	if after := i.launch(); after <= before {
		i.t.Errorf("launch %d serves after a deploy, and before it was %d", after, before)
	}
}

func (i *instance) appendTo(file, text string) {
	f, err := os.OpenFile(filepath.Join(i.dir, file), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		i.t.Fatal(err)
	}
	if _, err := f.WriteString(text + "\n"); err != nil {
		i.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		i.t.Fatal(err)
	}
}

func mustWrite(t *testing.T, path string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
}
