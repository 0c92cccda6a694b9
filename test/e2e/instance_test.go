package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// instance is one gatewayd of a test's own: the installed user unit under
// another name, with directories of its own.
type instance struct {
	t       testing.TB
	unit    string // e2e@NAME.service
	dir     string // configuration, environment, source and state
	runtime string // its XDG_RUNTIME_DIR
	run     string // gatewayd's directory in there
	state   string // its directory on disk
	config  string
	manager []string // how systemctl is told which manager
	values  map[string]string
	began   time.Time
}

var template sync.Once

// newInstance prepares a gatewayd that is not started. Its name goes into paths
// of sockets, which are short.
func newInstance(t testing.TB, name string) *instance {
	t.Helper()
	testenv.NeedHost(t)
	testenv.NeedUnprivileged(t)
	testenv.NeedUserManager(t)
	template.Do(func() { installTemplate(t) })
	i := &instance{
		t: t, unit: "e2e@" + name + ".service", manager: []string{"--user"}, began: time.Now(),
		dir:     filepath.Join(home(t), "e2e", name),
		runtime: filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "e2e-"+name),
	}
	i.run, i.state = filepath.Join(i.runtime, "gatewayd"), filepath.Join(i.dir, "state/gatewayd")
	i.config = filepath.Join(i.dir, "gatewayd.toml")
	mustMkdir(t, filepath.Join(i.dir, "state"), 0o700)
	mustMkdir(t, i.runtime, 0o700)
	i.setValues()
	t.Cleanup(i.discard)
	return i
}

func (i *instance) setValues() {
	i.values = map[string]string{
		"DIR": i.dir, "ROOTFS": filepath.Join(i.dir, "rootfs"), "RUNTIME": filepath.Join(i.dir, "runtime"),
		"GATEWAYD": programs.gatewayd,
	}
	for _, name := range []string{"PORT", "PORT2", "PORT3"} {
		port, err := testenv.FreePort()
		if err != nil {
			i.t.Fatal(err)
		}
		i.values[name] = port
	}
	mustMkdir(i.t, i.values["ROOTFS"], 0o755)
	mustCopy(i.t, programs.gateway, filepath.Join(i.values["ROOTFS"], "gateway"))
}

// configure writes the configuration. $ROOTFS is a tree with the test gateway
// at /gateway, $PORT to $PORT3 are free, $DIR is a directory of this instance.
func (i *instance) configure(text string) {
	i.t.Helper()
	mustWrite(i.t, i.config, os.Expand(text, func(name string) string { return i.values[name] }))
}

// environment is what the unit adds to gatewayd's environment.
func (i *instance) environment(lines ...string) {
	mustWrite(i.t, filepath.Join(i.dir, "environment"), strings.Join(lines, "\n")+"\n")
}

// start returns when systemctl does.
func (i *instance) start() error { return i.systemctl("start", i.unit) }

func (i *instance) mustStart() {
	i.t.Helper()
	if err := i.start(); err != nil {
		i.t.Fatal(err)
	}
}

func (i *instance) stop() error { return i.systemctl("stop", i.unit) }

func (i *instance) mustStop() {
	i.t.Helper()
	if err := i.stop(); err != nil {
		i.t.Fatal(err)
	}
}

func (i *instance) systemctl(args ...string) error {
	out, err := exec.Command("systemctl", append(i.manager, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// property is what systemd knows of the unit.
func (i *instance) property(name string) string {
	i.t.Helper()
	out, err := exec.Command("systemctl", append(i.manager, "show", i.unit, "--value", "--property", name)...).Output()
	if err != nil {
		i.t.Fatalf("systemctl show %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

func (i *instance) mainPid() int {
	pid, _ := strconv.Atoi(i.property("MainPID"))
	return pid
}

// kill signals one process. That of a gatewayd or gateway that is not there is 0,
// which would be all processes of our own group (kill(2)).
func kill(pid int, signal syscall.Signal) error {
	if pid <= 1 {
		return syscall.ESRCH
	}
	return syscall.Kill(pid, signal)
}

// gatewayd runs a command of the binary against this instance.
func (i *instance) gatewayd(args ...string) (stdout, stderr string, code int) {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	command := exec.CommandContext(ctx, programs.gatewayd, args...)
	command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+i.runtime, "XDG_STATE_HOME="+filepath.Join(i.dir, "state"),
		"GATEWAYD_CONFIG="+i.config)
	var out, problems strings.Builder
	command.Stdout, command.Stderr = &out, &problems
	err := command.Run()
	if command.ProcessState == nil {
		i.t.Fatalf("run gatewayd %v: %v", args, err)
	}
	return out.String(), problems.String(), command.ProcessState.ExitCode()
}

// must is gatewayd with exit code 0.
func (i *instance) must(args ...string) string {
	i.t.Helper()
	stdout, stderr, code := i.gatewayd(args...)
	if code != 0 {
		i.t.Fatalf("gatewayd %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// state is what status --json says of a gateway. It is spelled out here, since
// it is an interface that others read.
type state struct {
	Name       string    `json:"name"`
	Phase      string    `json:"phase"`
	Launch     int       `json:"launch"`
	ID         string    `json:"id"`
	Pid        int       `json:"pid"`
	Restarts   int       `json:"restarts"`
	Failures   int       `json:"failures"`
	Cause      string    `json:"cause"`
	CauseAt    time.Time `json:"cause_at"`
	Next       time.Time `json:"next"`
	Posture    string    `json:"posture"`
	VerifiedAt time.Time `json:"verified_at"`
	Differs    []any     `json:"differs"`
	Runtime    string    `json:"runtime"`
	Leftovers  []string  `json:"leftovers"`
	ProbeError string    `json:"probe_error"`
	Stage      string    `json:"stage"`
	Reason     string    `json:"stage_reason"`
	Digest     string    `json:"digest"`
	IDs        string    `json:"ids"`
	Changed    string    `json:"source_changed"`
	Standby    struct {
		Launch int    `json:"launch"`
		State  string `json:"state"`
	} `json:"standby"`
	Deploy *struct {
		Launch int
		Stage  string
	} `json:"deploy"`
	Draining []struct{ Launch int } `json:"draining"`
}

// states are all gateways by name.
func (i *instance) states() (map[string]state, error) {
	out, stderr, code := i.gatewayd("status", "--json")
	if code != 0 && code != 3 {
		return nil, fmt.Errorf("gatewayd status: exit code %d: %s", code, stderr)
	}
	var report struct{ Gateways []state }
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		return nil, err
	}
	byName := make(map[string]state)
	for _, g := range report.Gateways {
		byName[g.Name] = g
	}
	return byName, nil
}

// await waits until a gateway is as it should be, and returns its state.
func (i *instance) await(name, what string, is func(state) bool) (found state) {
	i.t.Helper()
	eventually(i.t, name+" "+what, func() error {
		all, err := i.states()
		if err != nil {
			return err
		}
		found = all[name]
		if !is(found) {
			return fmt.Errorf("it is %+v", found)
		}
		return nil
	})
	return found
}

func (i *instance) awaitReady(name string) state {
	i.t.Helper()
	return i.await(name, "ready", func(s state) bool { return s.Phase == "ready" })
}

// awaitLaunch waits for a launch after the given one to be ready.
func (i *instance) awaitLaunch(name string, after int) state {
	i.t.Helper()
	return i.await(name, "restarted", func(s state) bool { return s.Phase == "ready" && s.Launch > after })
}

// ask returns what the gateway at a port answers, and its status code.
func (i *instance) ask(port, path string) (string, int, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://127.0.0.1:" + i.values[port] + path)
	if err != nil {
		return "", 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), response.StatusCode, err
}

func (i *instance) mustAsk(port, path string) string {
	i.t.Helper()
	body, code, err := i.ask(port, path)
	if err != nil || code != http.StatusOK {
		i.t.Fatalf("ask %s: %d %v %s", path, code, err, body)
	}
	return body
}

// tell has the gateway at a port do a step.
func (i *instance) tell(port, step string) {
	i.t.Helper()
	i.mustAsk(port, "/do?step="+url.QueryEscape(step))
}

// read returns a file as the gateway at a port sees it.
func (i *instance) read(port, path string) string {
	i.t.Helper()
	return i.mustAsk(port, "/read?path="+url.QueryEscape(path))
}
