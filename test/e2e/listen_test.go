package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// listening is a gateway whose listener is gatewayd's.
const listening = `
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=inherit", "when=/crash:sleep=150ms", "when=/crash:exit=3"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "100ms"
restart.delay = "50ms"
deploy.confirm = "1m"
[[gateway.web.listen]]
name = "http"
address = "127.0.0.1:$PORT"
`

// A restart of the unit under load refuses nobody: systemd keeps the sockets,
// and who comes meanwhile is answered afterwards.
func TestRestartOfTheUnitRefusesNobody(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ls-restart")
	i.configure(listening)
	i.mustStart()
	clients := i.startLoad("PORT")
	for range longer(3, 30) {
		before := i.mainPid()
		if err := i.systemctl("restart", i.unit); err != nil {
			t.Fatal(err)
		}
		if i.mainPid() == before {
			t.Fatal("not restarted")
		}
	}
	clients.stop(t, refused, late)
	if n := i.property("NFileDescriptorStore"); n != "9" {
		t.Errorf("systemd keeps %s sockets, not eight slots and the control socket", n)
	}
	i.mustStop()
	i.mustBeNothing()
}

// Nor does kill -9 of gatewayd.
func TestDeathOfTheDaemonRefusesNobody(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ls-killed")
	i.configure(listening)
	i.mustStart()
	clients := i.startLoad("PORT")
	for range longer(3, 30) {
		i.dies()
	}
	clients.stop(t, refused, late)
}

// What the configuration no longer lists is not kept either.
func TestListenerThatIsRemoved(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ls-removed")
	i.configure(listening + `
[gateway.other]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=inherit"]
[[gateway.other.listen]]
name = "http"
address = "127.0.0.1:$PORT2"
`)
	i.mustStart()
	i.mustAsk("PORT2", "/")
	i.configure(listening)
	i.must("reload")
	i.mustBeRefused("PORT2")
	eventually(t, "one gateway's sockets", func() error { return i.stores("9") })

	// While gatewayd is away, by another name: nobody asks for what is stored.
	i.configure(strings.NewReplacer("$PORT", "$PORT3", "gateway.web", "gateway.api").Replace(listening))
	if err := i.systemctl("restart", i.unit); err != nil {
		t.Fatal(err)
	}
	i.mustAsk("PORT3", "/")
	i.mustBeRefused("PORT")
	eventually(t, "the new sockets alone", func() error { return i.stores("9") })
}

func (i *instance) stores(want string) error {
	if n := i.property("NFileDescriptorStore"); n != want {
		return fmt.Errorf("systemd keeps %s sockets, want %s", n, want)
	}
	return nil
}

func (i *instance) mustBeRefused(port string) {
	i.t.Helper()
	if c, err := net.Dial("tcp", "127.0.0.1:"+i.values[port]); err == nil {
		_ = c.Close()
		i.t.Errorf("somebody still listens at %s", port)
	}
}

// A port that somebody else has fails the gateway that wants it, by name of who
// has it; the others go on.
func TestPortThatIsTaken(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ls-taken")
	l, err := net.Listen("tcp", "127.0.0.1:"+i.values["PORT"])
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	i.configure(listening + `
[gateway.other]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT2"]
ready.probe = "http://127.0.0.1:$PORT2/"
`)
	i.mustStart()
	i.awaitReady("other")
	s := i.await("web", "failed", func(s state) bool { return s.Phase == "failed" })
	if !strings.Contains(s.Cause, fmt.Sprint(os.Getpid())) {
		t.Errorf("the cause does not name pid %d: %s", os.Getpid(), s.Cause)
	}
	_ = l.Close()
	s = i.awaitReady("web") // nobody has to ask for it
	i.mustAsk("PORT", "/")

	// From then on it is as if the port had been free at once.
	i.must("reexec")
	if err := kill(s.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	i.awaitLaunch("web", s.Launch)
	i.mustAsk("PORT", "/")
}

// A socket unit starts gatewayd with the first connection, which is answered.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ls-socket")
	i.configure(strings.Replace(listening, `address = "127.0.0.1:$PORT"`, `address = "systemd:web"`, 1))
	shipped, err := os.ReadFile("/usr/local/lib/systemd/user/gatewayd.socket")
	if err != nil {
		t.Fatal(err)
	}
	unit := strings.TrimSuffix(i.unit, ".service") + ".socket"
	text := strings.Replace(string(shipped), "ListenStream=127.0.0.1:8090", "Service="+i.unit+"\nListenStream=127.0.0.1:"+i.values["PORT"], 1)
	mustWrite(t, filepath.Join(units(t), unit), text)
	reloadManager(t)
	t.Cleanup(func() {
		_ = exec.Command("systemctl", "--user", "stop", unit).Run()
		_ = os.Remove(filepath.Join(units(t), unit))
	})
	if err := i.systemctl("start", unit); err != nil {
		t.Fatal(err)
	}
	if pid := i.mainPid(); pid != 0 {
		t.Fatalf("gatewayd runs already, as %d", pid)
	}
	if err := askOnce("127.0.0.1:" + i.values["PORT"]); err != nil {
		t.Fatal(err)
	}
	clients := i.startLoad("PORT")
	for range 3 {
		if err := i.systemctl("restart", i.unit); err != nil {
			t.Error(err)
		}
	}
	clients.stop(t, refused, late)
}

// As root, too, systemd keeps the sockets.
func TestRestartOfTheSystemUnitRefusesNobody(t *testing.T) {
	i := newSystemInstance(t)
	i.configure(listening)
	i.mustStart()
	clients := i.startLoad("PORT")
	for range 2 {
		if err := i.systemctl("restart", i.unit); err != nil {
			t.Fatal(err)
		}
	}
	clients.stop(t, refused, late)
	if err := i.stores("9"); err != nil {
		t.Error(err)
	}
	i.must("deploy", "web", "--rootfs", i.version("two"))
	i.mustRun("two")
}

// Nor is anybody cut whose gateway ends as it should: it has stop.timeout for
// what it has accepted, and what it has not waits for the next one. It lingers for
// as long as a client may take to send its request where many tests share the machine.
func TestRestartCutsNobodyOfAGatewayThatFinishes(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ls-finishes")
	mustCopy(t, programs.gatewayd, filepath.Join(i.values["ROOTFS"], "gatewayd"))
	i.configure(strings.NewReplacer(`"/gateway", "serve=inherit"`, `"/gatewayd", "example-gateway", "--linger", "7s"`, `, "when=/crash:sleep=150ms", "when=/crash:exit=3"`, "").Replace(listening))
	i.mustStart()
	clients := i.startLoad("PORT")
	for range longer(3, 30) {
		if err := i.systemctl("restart", i.unit); err != nil {
			t.Fatal(err)
		}
	}
	clients.stop(t, refused, late, cut)
}

// proxied is a gateway that listens by itself, behind gatewayd's proxy.
const proxied = `
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gatewayd", "example-gateway", "--linger", "7s", "--address", "127.0.0.1:{port}"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "100ms"
[[gateway.web.listen]]
name = "http"
address = "127.0.0.1:$PORT"
mode = "proxy"
to = "127.0.0.1:0"
`

// A proxy that is about to end takes nobody with it: it accepts no more.
func TestRestartCutsNobodyBehindAProxy(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ls-proxied")
	mustCopy(t, programs.gatewayd, filepath.Join(i.values["ROOTFS"], "gatewayd"))
	i.configure(proxied)
	i.mustStart()
	clients := i.startLoad("PORT")
	for range longer(3, 30) {
		if err := i.systemctl("restart", i.unit); err != nil {
			t.Fatal(err)
		}
	}
	clients.stop(t, refused, late, cut)
	if err := i.stores("9"); err != nil {
		t.Error(err)
	}
}

// An address that a reload takes away refuses connections when the old launch has
// gone, not only when the new revision is confirmed; and is back with the old one.
func TestListenerThatMoves(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ls-moves")
	i.configure(listening)
	i.mustStart()
	i.configure(strings.ReplaceAll(listening, "$PORT", "$PORT2"))
	i.must("reload")
	eventually(t, "an answer at the new address", func() error { return askOnce("127.0.0.1:" + i.values["PORT2"]) })
	eventually(t, "no answer at the old one", func() error {
		if err := askOnce("127.0.0.1:" + i.values["PORT"]); !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("it says: %s", fmt.Sprint(err))
		}
		return nil
	})
	i.must("rollback", "web")
	if err := askOnce("127.0.0.1:" + i.values["PORT"]); err != nil {
		t.Error(err)
	}
}

// swapped are two gateways, each with the address that the other had.
const swapped = `
[gateway.aa]
rootfs = "$DIR/aa"
command = ["/gateway", "serve=inherit"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "100ms"
[[gateway.aa.listen]]
name = "http"
address = "127.0.0.1:$PORT"

[gateway.bb]
rootfs = "$DIR/bb"
command = ["/gateway", "serve=inherit"]
ready.probe = "http://127.0.0.1:$PORT2/"
ready.interval = "100ms"
[[gateway.bb.listen]]
name = "http"
address = "127.0.0.1:$PORT2"
`

// Two gateways swap their addresses by a reload, and nobody is cut; a restart keeps
// it so, also one that finds them swapped back.
func TestAddressesAreSwapped(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "ls-swapped")
	i.version("aa")
	i.version("bb")
	back := strings.NewReplacer("$PORT2", "$PORT", "$PORT", "$PORT2").Replace(swapped)
	i.configure(swapped)
	i.mustStart()
	answers := func(first, second string) {
		t.Helper()
		eventually(t, first+" before "+second, func() error {
			if one, two := i.mustAsk("PORT", "/read?path=/version"), i.mustAsk("PORT2", "/read?path=/version"); one != first || two != second {
				return fmt.Errorf("%s before %s", one, two)
			}
			return nil
		})
	}
	restart := func() {
		t.Helper()
		if err := i.systemctl("restart", i.unit); err != nil {
			t.Fatal(err)
		}
	}
	answers("aa", "bb")
	first, second := i.startLoad("PORT"), i.startLoad("PORT2")
	i.configure(back)
	i.must("reload")
	answers("bb", "aa")
	eventually(t, "two launches", func() error { return i.exactly(2) })
	first.stop(t, refused, late, cut)
	second.stop(t, refused, late, cut)
	first, second = i.startLoad("PORT"), i.startLoad("PORT2")
	restart()
	answers("bb", "aa")
	i.configure(swapped)
	restart()
	answers("aa", "bb")
	first.stop(t, refused, late)
	second.stop(t, refused, late)
	eventually(t, "the sockets of two", func() error { return i.stores("18") })
	i.mustStop()
	i.mustBeNothing()
}
