package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// newSystemInstance is root's own gatewayd. There is one, so that these tests
// run one after another.
func newSystemInstance(t *testing.T) *instance {
	t.Helper()
	testenv.NeedHost(t)
	testenv.NeedRoot(t)
	i := &instance{
		t: t, unit: "gatewayd.service", manager: []string{"--system"}, began: time.Now(),
		dir: "/srv/e2e", runtime: "/run", run: "/run/gatewayd", state: "/var/lib/gatewayd", config: "/etc/gatewayd/gatewayd.toml",
	}
	mustMkdir(t, i.dir, 0o755)
	i.setValues()
	t.Cleanup(func() {
		i.discard()
		_ = os.RemoveAll("/etc/gatewayd")
		_ = os.RemoveAll(i.state)
	})
	return i
}

// Root's containers run as 65532, who owns nothing but what is theirs.
func TestSystemUnit(t *testing.T) {
	i := newSystemInstance(t)
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "write=/data/file:text", "write=/dev/stdout:by path\n", "serve=127.0.0.1:$PORT"]
mount = [{ source = "data", target = "/data" }]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "100ms"
[gateway.notifies]
rootfs = "$ROOTFS"
command = ["/gateway", "notify"]
ready.probe = "notify"
[gateway.asked]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:8080"]
ready.probe = ["/gateway", "get=http://127.0.0.1:8080/"]
isolation = { network = "none", init = true, read_only = true }
[gateway.socket]
rootfs = "$ROOTFS"
command = ["/gateway", "bury=/dir", "unix=/socket"]
ready.probe = "unix:///socket"
`)
	i.mustStart()
	i.wantConfined("/proc/self/status")
	wantMapping(t, i.read("PORT", "/proc/self/uid_map"), 65532)
	wantMapping(t, i.read("PORT", "/proc/self/gid_map"), 65532)
	states, err := i.states()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range states {
		if s.Phase != "ready" {
			t.Errorf("%s is %+v", name, s)
		}
		wantOwner(t, "/proc/"+strconv.Itoa(s.Pid), 65532)
	}
	wantOwner(t, filepath.Join(i.state, "data/web/file"), 65532)
	wantOwner(t, filepath.Join(i.state, "rootfs", states["web"].ID, "gateway"), 65532)
	i.awaitRecord("a line by /dev/stdout", func(r record) bool { return r.message() == "by path" }, "GATEWAY=web")
	i.mustStop()
	i.mustBeNothing()
	if result := i.property("Result"); result != "success" {
		t.Errorf("the unit ended as %s", result)
	}
}

func TestSystemUnitIsKilled(t *testing.T) {
	i := newSystemInstance(t)
	i.configure(two)
	i.mustStart()
	before, _ := i.states()
	i.killed()
	for name, s := range before {
		if kill(s.Pid, 0) == nil {
			t.Errorf("pid %d of the old %s is alive", s.Pid, name)
		}
	}
	i.mustStop()
	i.mustBeNothing()
}

// While the journal takes nothing, gateways go on; what was dropped is counted
// and told when it takes records again.
func TestBlockedJournal(t *testing.T) {
	i := newSystemInstance(t)
	i.configure(serving + `
[gateway.loud]
rootfs = "$ROOTFS"
command = ["/gateway", "await=/host/go", "flood=300000", "write=/host/done:", "serve=127.0.0.1:$PORT2"]
mount = [{ source = "$DIR/host", target = "/host" }]
`)
	host := filepath.Join(i.dir, "host")
	mustMkdir(t, host, 0o777)
	if err := os.Chmod(host, 0o777); err != nil {
		t.Fatal(err)
	}
	i.mustStart()
	signalJournal(t, "STOP")
	t.Cleanup(func() { signalJournal(t, "CONT") })
	mustWrite(t, filepath.Join(host, "go"), "")
	eventually(t, "the flood written", func() error {
		_, err := os.Stat(filepath.Join(host, "done"))
		return err
	})
	i.mustAsk("PORT", "/")
	if _, _, code := i.gatewayd("status"); code != 0 {
		t.Errorf("status exits with %d while the journal is blocked", code)
	}
	signalJournal(t, "CONT")
	r := i.awaitRecord("the drop", func(record) bool { return true }, "EVENT=output-dropped", "GATEWAY=loud")
	if !strings.ContainsAny(r.message(), "123456789") {
		t.Errorf("it counts nothing: %q", r.message())
	}
}

func signalJournal(t *testing.T, name string) {
	t.Helper()
	if out, err := exec.Command("systemctl", "kill", "--kill-whom=main", "--signal="+name, "systemd-journald.service").CombinedOutput(); err != nil {
		t.Errorf("signal journald: %v %s", err, out)
	}
}

// Nobody but root and the containers' user gets in, and the latter only where
// it has to. The id of a launch is no secret.
func TestSystemDirectoriesAreClosed(t *testing.T) {
	i := newSystemInstance(t)
	i.configure(serving + `mount = [{ source = "data", target = "/data" }]
[gateway.notifies]
rootfs = "$ROOTFS"
command = ["/gateway", "notify"]
ready.probe = "notify"
`)
	i.mustStart()
	i.closedToStrangers()
	if err := i.systemctl("reload", i.unit); err != nil { // systemd looks at modes again
		t.Error(err)
	}
	i.closedToStrangers()
	i.must("restart", "web")
	i.must("restart", "notifies")
}

// closedToStrangers goes everywhere as nobody, who may neither read nor connect.
func (i *instance) closedToStrangers() {
	i.t.Helper()
	web, notifies := i.awaitReady("web").ID, i.awaitReady("notifies").ID
	for _, path := range []string{
		i.run + "/launches/", i.run + "/launches/" + web + "/", i.run + "/launches/" + notifies + "/notify/notify",
		i.run + "/runtime/" + web + "/", i.run + "/control.sock", i.run + "/lock",
		i.state + "/rootfs/", i.state + "/rootfs/" + web + "/", i.state + "/rootfs/" + web + "/gateway", i.state + "/data/web/", i.state + "/stopped",
	} {
		command := exec.Command("cat", path)
		if strings.HasSuffix(path, "/") {
			command = exec.Command("ls", path)
		}
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := command.CombinedOutput(); err == nil || !strings.Contains(string(out), "ermission denied") {
			i.t.Errorf("nobody reads %s: %v %s", path, err, out)
		}
	}
}

func wantOwner(t *testing.T, path string, uid uint32) {
	t.Helper()
	var stat syscall.Stat_t
	if err := syscall.Stat(path, &stat); err != nil {
		t.Error(fmt.Errorf("stat %s: %w", path, err))
	} else if stat.Uid != uid {
		t.Errorf("%s belongs to %d, not %d", path, stat.Uid, uid)
	}
}

// What anybody else sends with the fields of a gateway is not shown as its log.
func TestLogsOfRootIgnoreForgedRecords(t *testing.T) {
	testenv.NeedHost(t)
	testenv.NeedRoot(t)
	name := "forged-" + strconv.Itoa(os.Getpid())
	send := func(uid uint32, text string) {
		t.Helper()
		logger := exec.Command("logger", "--journald")
		logger.Stdin = strings.NewReader("MESSAGE=" + text + "\nGATEWAY=" + name + "\n")
		logger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if out, err := logger.CombinedOutput(); err != nil {
			t.Fatalf("logger: %v: %s", err, out)
		}
	}
	send(1001, "from a stranger")
	send(0, "from root")
	eventually(t, "root's own record", func() error {
		out, err := exec.Command(programs.gatewayd, "logs", name).CombinedOutput()
		if strings.Contains(string(out), "stranger") {
			t.Fatalf("the stranger's record is shown: %s", out)
		}
		return errors.Join(err, contains(string(out), "from root"))
	})
}

// A disk that is full is told as that, leaves nothing half-staged, and is tried
// again until there is room.
func TestFullDisk(t *testing.T) {
	i := newSystemInstance(t)
	mustMkdir(t, i.state, 0o711)
	if err := syscall.Mount("none", i.state, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(i.state, syscall.MNT_DETACH) })
	i.configure(serving + "restart.max_delay = \"200ms\"\n")
	started := make(chan error, 1)
	go func() { started <- i.start() }()
	s := i.await("web", "failing", func(s state) bool { return s.Failures > 1 })
	if err := contains(s.Cause, "no space left on device"); err != nil {
		t.Error(err)
	}
	if err := syscall.Mount("none", i.state, "tmpfs", syscall.MS_REMOUNT, "size=100m"); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Error(err)
	}
	if trees := names(filepath.Join(i.state, "rootfs")); len(trees) != 1 {
		t.Errorf("staged trees: %v", trees)
	}
	i.mustStop()
	if trees := names(filepath.Join(i.state, "rootfs")); len(trees) != 0 {
		t.Errorf("staged trees are left: %v", trees)
	}
}
